"""Cross-entropy of the hardest pixels of a batch."""

from __future__ import annotations

from typing import Any

from tricklab.losses.cross_entropy import CrossEntropyLoss
from tricklab.registry import component


@component(
    "loss",
    source="OpenMMLab's OhemCrossEntropy; PIDNet, Xu et al., CVPR 2023",
    fixed=("label_smoothing", "divisor", "use_sigmoid", "sampler"),
)
class OhemCrossEntropy(CrossEntropyLoss):
    """Mean softmax cross-entropy of the pixels whose true class is less likely than ``thresh``, at least ``min_kept``.

    A short form of ``CrossEntropyLoss`` with the sampler ``OHEMPixelSampler`` and ``divisor: count``: ``min_kept`` is a
    number for the batch, not for an image, and the sum, class weights included, is divided by the number of kept
    pixels. It reads any output; OpenMMLab's fails in all but two heads.

    Args:
        thresh: probability of the true class below which a pixel is kept in any case.
        min_kept: how many pixels of the batch are kept at least.
    """

    def __init__(self, thresh: float = 0.7, min_kept: int = 100000, **rest: Any) -> None:
        super().__init__(
            divisor="count",
            sampler={"type": "OHEMPixelSampler", "thresh": thresh, "min_kept": min_kept, "per": "batch"},
            **rest,
        )
