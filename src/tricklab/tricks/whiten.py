"""Whitened principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._spread import scales_even

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("whiten", tasks="hyperspectral", source="Roy et al., GRSL 2020 (official code: PCA(whiten=True))")
def whiten(recipe: Recipe) -> Recipe:
    """Divide each principal component by its standard deviation: faint ones count as much as strong ones."""
    return recipe.set("data.whiten", True)


@whiten.probe(when="first_steps")
def components_even(evidence: Evidence) -> Proof:
    """The components have about one standard deviation over the training pixels."""
    return scales_even(evidence, asked=True)
