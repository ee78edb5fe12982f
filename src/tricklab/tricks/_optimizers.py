"""What the tricks that change the optimizer share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tricklab.tricks._base import Proof, Recipe

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

# what belongs to the parameters rather than to the algorithm stays when the algorithm changes
_KEPT = ("weight_decay", "decay_norm_and_bias", "custom_keys", "layer_decay", "paramwise")


def with_optimizer(recipe: Recipe, optimizer: dict[str, Any], keep: tuple[str, ...] = ()) -> Recipe:
    """The recipe with another optimizer; weight decay, parameter groups and ``keep`` stay as they were."""
    old = recipe.get("optimizer")
    kept = {key: old[key] for key in (*_KEPT, *keep) if key in old}
    return recipe.set("optimizer", kept | optimizer)


def steps_with(evidence: Evidence, name: str) -> Proof:
    """Whether the optimizer that was built is of that class."""
    built = evidence.fact("optimizer/class")
    return Proof(built == name, f"the optimizer is {built}", {"class": built})
