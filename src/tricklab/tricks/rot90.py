"""Training windows turned by quarter turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._types import Chance

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("rot90", tasks="hyperspectral", source="Lee & Kwon, IEEE TIP 26(10), 2017 (turned and mirrored windows)")
def rot90(recipe: Recipe, p: Chance = 0.75) -> Recipe:
    """Turn training windows by quarter turns; at p = 0.75 all four positions are equally likely."""
    return recipe.append("data.augment", {"type": "Rotate90", "p": p})


@rot90.probe(when="fit")
def windows_were_turned(evidence: Evidence) -> Proof:
    """A share of the training windows was turned."""
    return was_drawn(evidence, "Rotate90")
