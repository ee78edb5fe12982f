"""A conditional random field behind the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._mask_answers import with_answering

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "crf",
    tasks=("segmentation",),
    stage="evaluate",
    source="Krähenbühl & Koltun, NIPS 2011; Teichmann & Cipolla, BMVC 2019 (windows)",
)
def crf(
    recipe: Recipe,
    iterations: int = 5,
    appearance: float = 10.0,
    position: float = 80.0,
    colour: float = 13.0,
    smoothness: float = 3.0,
    deviation: float = 3.0,
    radius: int = 5,
    dilation: int = 3,
) -> Recipe:
    """Let near pixels of one colour agree on a class: mean field of DenseCRF's terms in windows.

    Costs no training, and for each image 2 · iterations · (2 radius + 1)² multiplications a pixel and class. It stands
    outside averaged views, in whatever order the tricks are asked for. Arguments as of ``MeanFieldCRF``.
    """
    terms = {"appearance": appearance, "position": position, "colour": colour}
    smooth = {"smoothness": smoothness, "deviation": deviation}
    window = {"radius": radius, "dilation": dilation}
    return with_answering(recipe, {"type": "MeanFieldCRF", "iterations": iterations, **terms, **smooth, **window})


@crf.probe(when="evaluate")
def classes_changed(evidence: Evidence) -> Proof:
    """Some pixels were given another class than the network's."""
    rows = [row for row in evidence.rows if row.get("phase") in ("val", "test") and "observe/crf/changed" in row]
    if not rows:
        return Proof(False, "no evaluation reported a conditional random field")
    changed = float(rows[-1]["observe/crf/changed"])
    return Proof(changed > 0, f"{changed:.3%} of the pixels were given another class", {"changed": changed})
