"""Mirrored training windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._types import Chance

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("flips", tasks="hyperspectral", source="Krizhevsky et al., NIPS 2012, section 4.1")
def flips(recipe: Recipe, p: Chance = 0.5) -> Recipe:
    """Mirror training windows left-right and up-down, each with chance p."""
    return recipe.append("data.augment", {"type": "FlipWindows", "p": p})


@flips.probe(when="fit")
def windows_were_mirrored(evidence: Evidence) -> Proof:
    """A share of the training windows was mirrored."""
    return was_drawn(evidence, "FlipWindows")
