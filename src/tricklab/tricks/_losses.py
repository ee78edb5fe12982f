"""What tricks that add a loss of pixels share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


def with_loss(recipe: Recipe, kind: str, on: str, weight: float, **keys: float) -> Recipe:
    """The recipe with one more loss and keys of its own; refuses a second of the kind on the output."""
    for place, term in enumerate(recipe.get("losses", [])):
        if (term["type"], term.get("on", "main")) == (kind, on):
            raise UserError(f"the recipe has a {kind} on {on} already", where=f"losses.{place}")
    return recipe.append("losses", {"type": kind, "on": on, "weight": weight, **keys})


def loss_is_trained(evidence: Evidence, kind: str, on: str) -> Proof:
    """The term was computed, and was neither nothing nor the same in all steps."""
    _, values = evidence.series(f"loss/{kind}.{on}")
    if not len(values):
        return Proof(False, f"no loss {kind}.{on} was recorded")
    low, high = float(values.min()), float(values.max())
    live = bool(values.any()) and (high > low or len(values) == 1)
    return Proof(live, f"{kind}.{on} was between {low:.4g} and {high:.4g}", {"least": low, "largest": high})
