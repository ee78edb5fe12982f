"""Another dropout probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("dropout", source="Srivastava et al., JMLR 15, 2014")
def dropout(recipe: Recipe, p: Share) -> Recipe:
    """Zero this share of the hidden units of the model's dense layers while training; 0 turns dropout off."""
    return recipe.set("model.dropout", p)


@dropout.probe(when="first_steps")
def modules_have_it(evidence: Evidence, p: float) -> Proof:
    """Every dropout module of the built model has the asked probability."""
    found = evidence.fact("model/dropout", {})
    live = bool(found) and all(abs(value - p) < 1e-9 for value in found.values())
    return Proof(live, f"dropout modules of the model: {found}; asked for p={p}", {"modules": len(found), "p": p})
