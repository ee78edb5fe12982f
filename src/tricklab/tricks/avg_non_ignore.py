"""Losses that are a mean over labelled pixels alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("avg_non_ignore", tasks="segmentation", source="OpenMMLab's avg_non_ignore, mmsegmentation pull request 1409")
def avg_non_ignore(recipe: Recipe) -> Recipe:
    """Divide losses by the number of labelled pixels, where the recipe divides by that of all (``divisor: all``).

    Here that is the default; OpenMMLab's counts ignored pixels too, so that images with many of them weigh less.
    """
    wrong = [place for place, term in enumerate(recipe.get("losses", [])) if term.get("divisor") == "all"]
    if not wrong:
        raise UserError(
            "no loss is divided by the number of all pixels: ignored ones count nowhere already",
            where="losses",
            fix="compare with a recipe that says losses.0.divisor=all, as OpenMMLab does",
        )
    for place in wrong:
        recipe = recipe.set(f"losses.{place}.divisor", "count")
    return recipe


@avg_non_ignore.probe(when="first_steps")
def ignored_pixels_count_nowhere(evidence: Evidence) -> Proof:
    """There are ignored pixels, and the divisor is smaller than the number of all by them."""
    _, share = evidence.series("observe/pixels/divided_by")
    if not len(share):
        return Proof(False, "it is not recorded what the losses are divided by")
    mean = float(share.mean())
    return Proof(mean < 1, f"losses are divided by {mean:.1%} of the number of pixels", {"share": mean})
