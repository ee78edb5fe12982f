"""Test-time augmentation of masks: score several views of each image, move the answers back, average them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.inference.image_views import MOVES
from tricklab.inference.mask_scores import log_probabilities, mean_scores, single
from tricklab.inference.sliding import Scores
from tricklab.observe import observe
from tricklab.registry import component


@component(
    "postprocess",
    source="Chen et al., TPAMI 2018 (DeepLab: scales and mirror); OpenMMLab, mmseg/models/segmentors/seg_tta.py",
)
class MaskViews:
    """Average the class probabilities of each pixel over resized, mirrored and turned views of the image.

    Every scale with every move is a view. A view's logits are turned back and resized to the image (bilinear), then
    their probabilities are averaged: softmax over several channels, sigmoid of one. The answer holds logits again, as
    many channels as the network has. OpenMMLab's ``SegTTAModel`` averages the sigmoids of sigmoids where there is one
    channel, which lie between 0.5 and 0.73: every pixel is foreground.

    Classes that say left or right must not be mirrored: the left kidney of a mirrored image looks like the right one.

    Args:
        group: ``none``; ``flip``: also mirrored left and right; ``flips``: both axes and both together;
            ``rotations``: the four quarter turns; ``dihedral``: all eight.
        scales: sides that the network sees as shares of the image's.
        multiple: the sides are rounded to a multiple of so many pixels; OpenMMLab's networks without padding want 16
            or 32.

    Observes ``tta/views``, how many, and ``tta/spread``, the mean absolute difference of a view's probabilities to
    those of the first.

    >>> MaskViews("flip", scales=[0.75, 1.0, 1.25]).count
    6
    """

    acts_on = "masks"

    def __init__(
        self,
        group: Literal["none", "flip", "flips", "rotations", "dihedral"] = "flip",
        scales: list[float] = [1.0],  # noqa: B006
        multiple: int = 1,
    ) -> None:
        if not scales or min(scales) <= 0:
            raise UserError(f"scales must be positive, not {list(scales)}", where="evaluate.postprocess.scales")
        if multiple < 1:
            raise UserError(f"sides cannot be multiples of {multiple}", where="evaluate.postprocess.multiple")
        self.group, self.scales, self.multiple = group, tuple(scales), multiple
        self.count = len(MOVES[group]) * len(self.scales)

    def around(self, scores: Scores) -> Scores:
        """The same question, asked of all views."""

        def averaged(images: Tensor) -> Tensor:
            first: Tensor | None = None
            spread: list[Tensor] = []

            def compared() -> Iterator[Tensor]:
                nonlocal first
                for logits in self.answers(scores, images):
                    probabilities = log_probabilities(logits).exp()
                    if first is None:
                        first = probabilities
                    else:
                        spread.append((probabilities - first).abs().mean())
                    yield logits

            found = mean_scores(compared())
            observe("tta/views", float(self.count))
            observe("tta/spread", torch.stack(spread) if spread else 0.0)
            return found

        return averaged

    def answers(self, scores: Scores, images_NCHW: Tensor) -> Iterator[Tensor]:
        """Each view's logits (N, K, H, W), back in the image's own place and size."""
        height, width = images_NCHW.shape[-2:]
        for scale in self.scales:
            size = self.size(height, scale), self.size(width, scale)
            sized = images_NCHW if size == (height, width) else _resized(images_NCHW, size, antialias=True)
            for turns, mirror in MOVES[self.group]:
                turned = torch.rot90(sized, turns, (2, 3))
                logits = single(scores((turned.flip(3) if mirror else turned).contiguous()))
                back = torch.rot90(logits.flip(3) if mirror else logits, -turns, (2, 3))
                yield back if back.shape[-2:] == (height, width) else _resized(back, (height, width), antialias=False)

    def size(self, side: int, scale: float) -> int:
        """What a side of an image becomes at a scale, in pixels."""
        return max(round(side * scale / self.multiple), 1) * self.multiple


def _resized(images: Tensor, size: tuple[int, int], antialias: bool) -> Tensor:
    return functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=antialias)
