"""Cross-entropy of the hardest pixels of a batch."""

from __future__ import annotations

from collections.abc import Sequence

from tricklab.losses.class_weights import Weighting
from tricklab.losses.cross_entropy import CrossEntropyLoss
from tricklab.registry import component


@component("loss", source="OpenMMLab's OhemCrossEntropy; PIDNet, Xu et al., CVPR 2023", given=("class_counts",))
class OhemCrossEntropy(CrossEntropyLoss):
    """Mean softmax cross-entropy of the pixels whose true class is less likely than ``thresh``, at least ``min_kept``.

    A short form of ``CrossEntropyLoss`` with the sampler ``OHEMPixelSampler`` and ``divisor: count``: ``min_kept`` is a
    number for the batch, not for an image, and the sum, class weights included, is divided by the number of kept
    pixels. It reads any output; OpenMMLab's fails in all but two heads.

    Args:
        on: the model's output that it reads: scores (N, K, ...).
        weight: factor on this term in the total.
        thresh: probability of the true class below which a pixel is kept in any case.
        min_kept: how many pixels of the batch are kept at least.
        class_weight: K weights, ``balanced``, ``inverse``, ``log``, ``effective`` (see ``class_weights``), or None.
        ignore_index: target that means "no label"; None: as the task has it, else -1.
        beta: of the weights ``effective``.
        name: what the term is called; None: by its type and output.
        class_counts: training samples a class; None if unknown.
    """

    def __init__(
        self,
        on: str = "main",
        weight: float = 1.0,
        thresh: float = 0.7,
        min_kept: int = 100000,
        class_weight: list[float] | Weighting | None = None,
        ignore_index: int | None = None,
        beta: float = 0.999,
        name: str | None = None,
        *,
        class_counts: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            on,
            weight,
            class_weight,
            ignore_index=ignore_index,
            divisor="count",
            beta=beta,
            sampler={"type": "OHEMPixelSampler", "thresh": thresh, "min_kept": min_kept, "per": "batch"},
            name=name,
            class_counts=class_counts,
        )
