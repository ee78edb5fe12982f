"""How much the answer to an image depends on the windows it was asked in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tricklab.inference.mask_scores import log_probabilities
from tricklab.inference.sliding import Scores, Sliding
from tricklab.observe import observe


@dataclass(frozen=True)
class Disagreement:
    """Two answers to the same images.

    Attributes:
        classes: share of pixels that got another class.
        probability: mean absolute difference of a probability.
        logit: largest absolute difference of a logit.
    """

    classes: float
    probability: float
    logit: float

    def __str__(self) -> str:
        return (
            f"{self.classes:.3%} of the pixels get another class; probabilities differ by {self.probability:.2g} on "
            f"average, logits by at most {self.logit:.2g}"
        )


def half_as_large_again(plan: Sliding) -> Sliding:
    """Windows of one and a half times the sides that overlap as much, to see what a network makes of their size.

    Sides that are multiples of 32, 16 or 8 stay so, since networks halve them.

    >>> found = half_as_large_again(Sliding((64, 48), (48, 48)))
    >>> found.window, found.stride
    ((96, 80), (80, 80))
    """
    sides = []
    for side in plan.window:
        step = next((multiple for multiple in (32, 16, 8) if side % multiple == 0), 1)
        sides.append(-(-3 * side // (2 * step)) * step)
    strides = [new - old + step for new, old, step in zip(sides, plan.window, plan.stride, strict=True)]
    return replace(plan, window=(sides[0], sides[1]), stride=(strides[0], strides[1]))


def window_disagreement(
    scores: Scores, images_NCHW: Tensor, first: Sliding, second: Sliding | None = None
) -> Disagreement:
    """Ask the same images in two ways.

    A network that pools over the whole of its input, as pyramid pooling, attention and squeeze-and-excitation do,
    answers a window by what the window shows: no overlap makes the answers equal, and only this says how far apart they
    are.

    Args:
        scores: asks the network.
        images_NCHW: float32 (N, C, H, W).
        first: windows.
        second: other windows, or None for the whole images.

    >>> told = window_disagreement(lambda images: images, torch.rand(1, 2, 9, 9), Sliding((4, 4), (2, 2)))
    >>> told.classes, told.logit < 1e-6
    (0.0, True)
    """
    with torch.inference_mode():
        one = first.around(scores)(images_NCHW)
        other = (second.around(scores) if second else scores)(images_NCHW).float()
        left, right = log_probabilities(one), log_probabilities(other)
        found = Disagreement(
            float((left.argmax(dim=1) != right.argmax(dim=1)).float().mean()),
            float((left.exp() - right.exp()).abs().mean()),
            float((one - other).abs().max()),
        )
    observe("slide/disagreement", found.classes)
    return found
