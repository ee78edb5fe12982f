"""Test-time augmentation: score several views of a scene and average the class probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch

from tricklab.observe import observe
from tricklab.registry import component

Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(padded cube (bands, h, w), centres int64 (N, 2)) → logits (N, K)."""


@component("postprocess", source="Krizhevsky et al., NIPS 2012 (averaging over views); eight views: Howard 2013")
class FlipRotateTTA:
    """Average the class probabilities over flips and quarter turns of each window.

    The whole padded cube is flipped or turned and the centres with it, which turns each window about its centre; so it
    works with any way to predict, windows or dense. Probabilities (softmax) are averaged, not logits.

    Args:
        group: ``dihedral``: all eight flips and quarter turns; ``rotations``: the four quarter turns; ``flips``: none,
            left-right, up-down, both.

    Observes ``tta/views``, how many, and ``tta/spread``, the mean absolute difference of a view to the average.
    """

    acts_on = "scenes"

    def __init__(self, group: Literal["dihedral", "rotations", "flips"] = "dihedral") -> None:
        self.group = group
        self.views = {
            "dihedral": [(turns, mirror) for mirror in (False, True) for turns in range(4)],
            "rotations": [(turns, False) for turns in range(4)],
            "flips": [(0, False), (0, True), (2, False), (2, True)],
        }[group]

    def __call__(self, predict: Predict, cube_padded: torch.Tensor, centres: torch.Tensor, window: int) -> torch.Tensor:
        """Mean probabilities (N, K) over the views.

        Args:
            predict: logits (N, K) of centres of a padded cube, for example ``predict_scene`` with a model bound.
            cube_padded: (bands, H + window - 1, W + window - 1).
            centres: int64 (N, 2) in the scene without padding.
            window: side of a window.
        """
        found = [
            torch.softmax(predict(cube, places), dim=1) for cube, places in self.moved(cube_padded, centres, window)
        ]
        mean = torch.stack(found).mean(dim=0)
        observe("tta/views", float(len(found)))
        observe("tta/spread", torch.stack([(view - mean).abs().mean() for view in found]))
        return mean

    def moved(
        self, cube_padded: torch.Tensor, centres: torch.Tensor, window: int
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Each view of the cube with the places that the centres move to."""
        height, width = (side - window + 1 for side in cube_padded.shape[1:])
        for turns, mirror in self.views:
            (rows, columns), (bottom, right) = centres.unbind(1), (height - 1, width - 1)
            if mirror:
                columns = right - columns
            for _ in range(turns):
                rows, columns = right - columns, rows
                bottom, right = right, bottom
            # contiguous: windows of a transposed view are gathered five times slower
            cube = torch.rot90(cube_padded.flip(2) if mirror else cube_padded, turns, (1, 2)).contiguous()
            yield cube, torch.stack([rows, columns], dim=1)
