"""Test-time augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("tta", tasks="hyperspectral", stage="evaluate", source="Krizhevsky et al., NIPS 2012 (averaging over views)")
def tta(recipe: Recipe) -> Recipe:
    """Average the class probabilities over the eight flips and rotations of each window.

    Costs no training and eight times the evaluation. For scenes seen from above, where a turned window is as good.
    """
    return recipe.append("evaluate.postprocess", {"type": "FlipRotateTTA"})


@tta.probe(when="evaluate")
def views_differ(evidence: Evidence) -> Proof:
    """More than one view was scored, and the views did not all agree."""
    rows = [row for row in evidence.rows if row.get("phase") in ("val", "test") and "observe/tta/views" in row]
    if not rows:
        return Proof(False, "no evaluation reported averaged views")
    views, spread = float(rows[-1]["observe/tta/views"]), float(rows[-1].get("observe/tta/spread", 0.0))
    text = f"{views:.0f} views averaged; their probabilities differ by {spread:.3g} on average"
    return Proof(views > 1 and spread > 0, text, {"views": views, "spread": spread})
