"""Principal components at their own scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._spread import scales_even

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("no_whiten", tasks="hyperspectral", source="Jolliffe, Principal Component Analysis, 2002")
def no_whiten(recipe: Recipe) -> Recipe:
    """Leave the principal components at their own scale: the first few carry almost all of the signal."""
    return recipe.set("data.whiten", False)


@no_whiten.probe(when="first_steps")
def components_uneven(evidence: Evidence) -> Proof:
    """The components' standard deviations over the training pixels differ widely."""
    return scales_even(evidence, asked=False)
