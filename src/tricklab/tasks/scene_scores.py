"""Class scores of pixels of a scene: window by window or densely, after any test-time augmentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from tricklab import registry
from tricklab.errors import UserError
from tricklab.inference.dense import predict_scene
from tricklab.ops.ranks import ranks
from tricklab.ops.windows import gather_windows

TOLERANCE = 1e-4
CHECKED = 8

Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(padded cube (bands, h, w), centres int64 (N, 2)) → logits float32 (N, K) on the CPU."""


def scene_logits(
    model: nn.Module,
    cube_padded: torch.Tensor,
    centres: torch.Tensor,
    *,
    window: int,
    method: str,
    postprocess: Sequence[Mapping[str, Any]] = (),
    batch_size: int = 256,
    facts: dict[str, Any] | None = None,
) -> torch.Tensor:
    """Logits of pixels of a scene.

    Args:
        model: in evaluation mode, float32.
        cube_padded: float32 (bands, H + window - 1, W + window - 1).
        centres: int64 (N, 2), rows and columns in the scene.
        method: ``windows``, or ``dense``, which is first compared with windows on a few of the centres.
        postprocess: components of kind postprocess, in order; what they give are probabilities, whose logarithm counts
            as logits.
        batch_size: windows at once.
        facts: gets ``evaluate/dense_difference``.

    Returns:
        float32 (N, K) on the CPU; their softmax are the class probabilities.

    Raises:
        UserError: dense inference is not possible for this model, or does not give what windows give.
    """

    def by_windows(cube: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        device = next(model.parameters()).device

        def scores(part: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"main": model(gather_windows(cube, part, window).to(device))["main"].float().cpu()}

        with torch.inference_mode():
            return ranks().over(places.split(batch_size), scores)["main"]

    def densely(cube: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return predict_scene(model, cube, window, places)

    predict: Predict = by_windows
    if method == "dense":
        few = centres[torch.linspace(0, len(centres) - 1, min(CHECKED, len(centres))).long()]
        difference = check_dense(by_windows(cube_padded, few), densely(cube_padded, few))
        if facts is not None:
            facts["evaluate/dense_difference"] = difference
        predict = densely
    for config in postprocess:
        predict = _after(registry.build("postprocess", config), predict, window)
    return predict(cube_padded, centres)


def check_dense(windows: torch.Tensor, dense: torch.Tensor) -> float:
    """Largest difference of logits, as a share of the largest logit where that is above 1.

    Raises:
        UserError: it is above ``TOLERANCE``.
    """
    difference = float((windows - dense).abs().max() / windows.abs().max().clamp(min=1.0))
    if not difference <= TOLERANCE:
        raise UserError(
            f"dense inference differs from windows by {difference:.2g}, more than {TOLERANCE:g}",
            where="evaluate.method",
            fix="use evaluate.method=windows",
        )
    return difference


def _after(postprocess: Any, predict: Predict, window: int) -> Predict:
    def processed(cube: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return postprocess(predict, cube, places, window).clamp(min=1e-38).log()

    return processed
