"""Gradient clipping by norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._clipping import were_clipped, with_clipping
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("clip_norm", source="Pascanu et al., ICML 2013, arXiv 1211.5063")
def clip_norm(recipe: Recipe, value: Positive = 1.0) -> Recipe:
    """Shrink the gradient to this Euclidean norm, over all parameters together, where it is longer.

    Takes the place of another clipping.
    """
    return with_clipping(recipe, "clip_norm", value)


@clip_norm.probe(when="fit")
def some_were_clipped(evidence: Evidence) -> Proof:
    """At least one step's gradient was longer than the bound: a bound that is never reached does nothing."""
    return were_clipped(evidence, "clip_norm")
