"""Evaluation in windows that slide over the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "slide",
    tasks=("segmentation",),
    stage="evaluate",
    source="Chen et al., DeepLab; OpenMMLab, test_cfg mode slide (crop_size, stride)",
)
def slide(
    recipe: Recipe,
    window: list[int] | None = None,
    stride: list[int] | None = None,
    blend: Literal["hann", "mean"] = "hann",
    margin: int = 0,
) -> Recipe:
    """Ask the network in overlapping windows of the size that it was trained on, and blend their logits.

    Costs no training. ``window`` (height, width) is ``data.crop`` if not given, ``stride`` half a window. With
    ``blend: mean`` all of a window counts alike, as in OpenMMLab; ``margin`` leaves out pixels at its sides.
    """
    chosen = window if window is not None else recipe.get("data.crop", None)
    if chosen is None:
        raise UserError(
            "the recipe has no data.crop that windows could be as large as",
            where="trick slide",
            fix="slide(window=[height, width])",
        )
    sides = [int(side) for side in chosen]
    steps = stride if stride is not None else [max(side // 2, 1) for side in sides]
    found = recipe.set("evaluate.method", "slide").set("evaluate.window", sides).set("evaluate.stride", steps)
    return found.set("evaluate.blend", blend).set("evaluate.margin", margin)


@slide.probe(when="evaluate")
def several_windows(evidence: Evidence) -> Proof:
    """Images were seen in more than one window."""
    rows = [row for row in evidence.rows if row.get("phase") in ("val", "test") and "observe/slide/windows" in row]
    if not rows:
        return Proof(False, "no evaluation reported windows")
    windows = float(rows[-1]["observe/slide/windows"])
    text = f"{windows:.3g} windows an image on average" + ("" if windows > 1 else ": an image is no larger than one")
    return Proof(windows > 1, text, {"windows": windows})
