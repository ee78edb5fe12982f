"""Blended training images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._images import was_mixed, with_mixing
from tricklab.tricks._types import Chance, Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("mixup", tasks=("classification", "segmentation"), source="Zhang et al., ICLR 2018, arXiv 1710.09412")
def mixup(
    recipe: Recipe,
    alpha: Positive = 0.8,
    p: Chance = 1.0,
    mode: Literal["batch", "pair", "elem"] = "batch",
    off_epoch: Positive | None = None,
) -> Recipe:
    """Blend images of a training batch in twos, and their targets alike, by a share drawn from Beta(alpha, alpha).

    One share is drawn for each batch, pair or element, as ``mode`` says, and ``p`` is its chance; from ``off_epoch`` on
    nothing is mixed. Of masks the shares of each pixel's classes are blended. The training loss is then that of mixed
    targets: its curve is not comparable with one without.
    """
    return with_mixing(recipe, {"type": "Mixup", "alpha": alpha, "p": p, "mode": mode, "off_epoch": off_epoch})


@mixup.probe(when="fit")
def images_were_blended(evidence: Evidence) -> Proof:
    """Images were mixed, and not only with shares of 0 or 1."""
    return was_mixed(evidence, "Mixup")
