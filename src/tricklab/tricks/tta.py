"""Test-time augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._mask_answers import with_answering

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

Group = Literal["flip", "flips", "rotations", "dihedral"]


@trick(
    "tta",
    tasks=("hyperspectral", "classification", "segmentation"),
    stage="evaluate",
    source="Krizhevsky et al., NIPS 2012 (averaging over views)",
)
def tta(
    recipe: Recipe,
    group: Group | None = None,
    crops: Literal["five", "six"] | None = None,
    scales: list[float] = [],  # noqa: B006
) -> Recipe:
    """Average the class probabilities over mirrored, turned, cropped and resized views.

    Costs no training and as many evaluations as there are views. Without a group scenes are seen in all eight flips and
    rotations of each window, for seen from above a turned window is as good, and images as they are and mirrored left
    and right; ``crops`` (corners and middle, ``six`` with the whole) and ``scales`` (such as [1.0, 1.25]) are for
    images, and multiply the views. Masks are averaged pixel by pixel, with groups and scales.
    """
    if recipe.get("task") == "segmentation":
        if crops is not None:
            raise UserError("masks are not cropped", where="trick tta", fix="leave crops out, or turn +slide on")
        seen = {"type": "MaskViews", "group": group or "flip"}
        return with_answering(recipe, {**seen, "scales": scales} if scales else seen)
    if recipe.get("task") == "classification":
        item = {"type": "ImageViews", "group": group or "flip"}
        more = {"crops": crops, "scales": scales}
        return recipe.append("evaluate.postprocess", {**item, **{key: value for key, value in more.items() if value}})
    if crops is not None or scales:
        raise UserError("windows are not cropped or resized", where="trick tta", fix="leave crops and scales out")
    if group == "flip":
        raise UserError("scenes have no left and right", where="trick tta", fix="group: flips, rotations or dihedral")
    return recipe.append("evaluate.postprocess", {"type": "FlipRotateTTA", "group": group or "dihedral"})


@tta.probe(when="evaluate")
def views_differ(evidence: Evidence) -> Proof:
    """More than one view was scored, and the views did not all agree."""
    rows = [row for row in evidence.rows if row.get("phase") in ("val", "test") and "observe/tta/views" in row]
    if not rows:
        return Proof(False, "no evaluation reported averaged views")
    views, spread = float(rows[-1]["observe/tta/views"]), float(rows[-1].get("observe/tta/spread", 0.0))
    text = f"{views:.0f} views averaged; their probabilities differ by {spread:.3g} on average"
    return Proof(views > 1 and spread > 0, text, {"views": views, "spread": spread})
