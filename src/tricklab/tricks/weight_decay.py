"""Weight decay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Amount

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("weight_decay", source="Krogh & Hertz, NIPS 1991")
def weight_decay(recipe: Recipe, value: Amount) -> Recipe:
    """Pull the weights towards zero with this strength, in the way of the recipe's optimizer.

    In Adam and SGD it is a term of the gradient (which Adam rescales), in AdamW a shrinking of the weights.
    """
    return recipe.set("optimizer.weight_decay", value)


@weight_decay.probe(when="first_steps")
def groups_have_it(evidence: Evidence, value: float) -> Proof:
    """A group of parameters of the built optimizer has the asked decay."""
    groups = evidence.fact("optimizer/groups", [])
    having = sum(group["count"] for group in groups if abs(group["weight_decay"] - value) <= 1e-9 + 1e-6 * value)
    found = sorted({group["weight_decay"] for group in groups})
    text = f"weight decay of the parameter groups: {found}; {having} parameters have {value}"
    return Proof(having > 0, text, {"parameters": having, "asked": value})
