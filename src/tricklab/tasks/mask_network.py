"""How a network is asked about whole images: at once or in windows, with postprocessing around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tricklab.data.pixel_normalisation import PixelNormalisation
from tricklab.inference.postprocess import asked_through
from tricklab.inference.sliding import Sliding
from tricklab.recipe.schema import Evaluate


def sliding_of(evaluate: Evaluate) -> Sliding | None:
    """The windows of a recipe's ``evaluate``; None where images are seen whole.

    Raises:
        UserError: windows that leave pixels without an answer.
    """
    if evaluate.window is None or evaluate.stride is None:
        return None
    (height, width), (down, right) = evaluate.window, evaluate.stride
    return Sliding(
        window=(height, width),
        stride=(down, right),
        blend=evaluate.blend or "hann",
        margin=evaluate.margin or 0,
        batch=evaluate.batch_size,
    )


def asked_of_network(
    model: nn.Module,
    normalisation: PixelNormalisation,
    evaluate: Evaluate,
    postprocess: Sequence[Mapping[str, Any]],
    method: str,
) -> Callable[[Tensor], Tensor]:
    """A call, normalised images (N, C, H, W) → logits (N, K, H, W), with windows inside and postprocessing around.

    Args:
        model: in evaluation mode.
        normalisation: of the images, since some postprocessing reads their values.
        evaluate: the recipe's section.
        postprocess: components of kind postprocess that act on masks.
        method: ``whole`` or ``slide``.
    """

    def scores(images: Tensor) -> Tensor:
        found: Tensor = model(images)["main"]
        return found

    sliding = sliding_of(evaluate) if method == "slide" else None
    plain = scores if sliding is None else sliding.around(scores)
    return asked_through(postprocess, plain, value_steps=255 * torch.tensor(normalisation.std))
