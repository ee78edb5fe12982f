"""Online hard example mining of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Chance, Count

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("ohem", tasks="segmentation", source="Shrivastava et al., CVPR 2016; OpenMMLab's OHEMPixelSampler")
def ohem(
    recipe: Recipe,
    thresh: Chance | None = 0.7,
    min_kept: Count = 100000,
    divisor: Literal["kept", "all"] = "kept",
) -> Recipe:
    """Train the first loss on hard pixels only: true class less likely than ``thresh``, at least ``min_kept`` an image.

    Where an image has fewer pixels than ``min_kept``, all are kept and nothing changes: a sixteenth of the crop's
    pixels is usual. ``thresh=null``: exactly that many, by their loss. ``divisor=all`` is OpenMMLab's, with which the
    loss shrinks as pixels are learned.
    """
    sampler = {"type": "OHEMPixelSampler", "thresh": thresh, "min_kept": min_kept, "divisor": divisor}
    return recipe.set("losses.0.sampler", sampler)


@ohem.probe(when="fit")
def pixels_are_dropped(evidence: Evidence) -> Proof:
    """Some of the labelled pixels were kept, and not all; a network that is new is sure of none."""
    _, kept = evidence.series("observe/ohem/kept")
    if not len(kept):
        return Proof(False, "no pixels were mined")
    share = float(kept.mean())
    return Proof(0 < share < 1, f"{share:.1%} of the labelled pixels were kept", {"kept": share})
