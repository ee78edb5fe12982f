"""Mixup and CutMix by turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._images import was_mixed, with_mixing
from tricklab.tricks._types import Chance, OpenShare, Part, Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("mix", tasks="classification", source="timm Mixup; Touvron et al., ICML 2021, arXiv 2012.12877, table 9")
def mix(
    recipe: Recipe,
    mixup_alpha: Positive = 0.8,
    cutmix_alpha: Positive = 1.0,
    p: Chance = 1.0,
    switch_prob: OpenShare = 0.5,
    mode: Literal["batch", "pair", "elem"] = "batch",
    cutmix_minmax: tuple[Part, Part] | None = None,
    correct_lam: bool = True,
    off_epoch: Positive | None = None,
) -> Recipe:
    """Mix training images by Mixup or, with chance ``switch_prob``, by CutMix, drawn for each batch, pair or element.

    ``p`` is the chance of being mixed at all; from ``off_epoch`` on nothing is. ``cutmix_minmax`` draws the sides of
    boxes from a range, ``correct_lam`` weighs by boxes as they were cut off at the border.
    """
    item = {
        "type": "MixupOrCutMix",
        "mixup_alpha": mixup_alpha,
        "cutmix_alpha": cutmix_alpha,
        "cutmix_minmax": cutmix_minmax,
        "prob": p,
        "switch_prob": switch_prob,
        "mode": mode,
        "correct_lam": correct_lam,
        "off_epoch": off_epoch,
    }
    return with_mixing(recipe, item)


@mix.probe(when="fit")
def images_were_mixed(evidence: Evidence) -> Proof:
    """Images were mixed, and not only with shares of 0 or 1."""
    return was_mixed(evidence, "MixupOrCutMix")
