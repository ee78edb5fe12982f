"""Boxes of one training image in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._images import was_mixed, with_mixing
from tricklab.tricks._types import Chance, Part, Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("cutmix", tasks=("classification", "segmentation"), source="Yun et al., ICCV 2019, arXiv 1905.04899")
def cutmix(
    recipe: Recipe,
    alpha: Positive = 1.0,
    p: Chance = 1.0,
    minmax: tuple[Part, Part] | None = None,
    correct_lam: bool = True,
    mode: Literal["batch", "pair", "elem"] = "batch",
    off_epoch: Positive | None = None,
) -> Recipe:
    """Put a box of one image of a training batch into another; the targets mix by its area.

    The share that stays is drawn from Beta(alpha, alpha), or the box's sides from ``minmax``, for each batch, pair or
    element, as ``mode`` says; ``p`` is the chance of that. ``correct_lam`` weighs by the box as it was cut off at the
    border. From ``off_epoch`` on nothing is mixed. The training loss is then that of mixed targets: its curve is not
    comparable with one without. Of masks each pixel takes its label along, so ``correct_lam`` says nothing.
    """
    if recipe.get("task") == "segmentation":
        if not correct_lam:
            raise UserError("masks are not weighed by a box's area", where="+cutmix, correct_lam", fix="leave it out")
        masks = {"alpha": alpha, "minmax": minmax, "p": p, "mode": mode, "off_epoch": off_epoch}
        return with_mixing(recipe, {"type": "CutMix", **masks})
    item = {
        "type": "CutMix",
        "alpha": alpha,
        "minmax": minmax,
        "p": p,
        "correct_lam": correct_lam,
        "mode": mode,
        "off_epoch": off_epoch,
    }
    return with_mixing(recipe, item)


@cutmix.probe(when="fit")
def boxes_were_put_in(evidence: Evidence) -> Proof:
    """Images were mixed, and not only with shares of 0 or 1."""
    return was_mixed(evidence, "CutMix")
