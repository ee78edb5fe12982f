"""Gradient clipping by norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("clip_norm", source="Pascanu et al., ICML 2013, arXiv 1211.5063")
def clip_norm(recipe: Recipe, value: Positive = 1.0) -> Recipe:
    """Shrink the gradient to this Euclidean norm, over all parameters together, where it is longer."""
    return recipe.set("train.clip_norm", value)


@clip_norm.probe(when="fit")
def some_were_clipped(evidence: Evidence) -> Proof:
    """At least one step's gradient was longer than the bound: a bound that is never reached does nothing."""
    _, shares = evidence.series("clipped")
    if not len(shares):
        return Proof(False, "no clipped share was recorded")
    share = float(shares.mean())
    live = bool(shares.max() > 0)
    return Proof(live, f"{share:.1%} of the steps were clipped", {"share": share, "highest": float(shares.max())})
