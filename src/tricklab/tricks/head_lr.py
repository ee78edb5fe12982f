"""A higher learning rate for the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._rules import rules_are_live
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("head_lr", source="OpenMMLab, MMSegmentation's training tricks: paramwise_cfg custom_keys head lr_mult=10")
def head_lr(recipe: Recipe, mult: Positive = 10.0, key: str = "head") -> Recipe:
    """Multiply the learning rate of the parameters whose names hold ``head``.

    For a fresh head on a trained backbone. The key is part of a name: ``head`` catches ``auxiliary_head`` too; the fact
    ``optimizer/rules`` names the parts. A key that no name holds is an error. Weight decay stays as it is.
    """
    keys = recipe.get("optimizer.custom_keys") or {}
    return recipe.set("optimizer.custom_keys", {**keys, key: {**keys.get(key, {}), "lr_mult": mult}})


@head_lr.probe(when="first_steps")
def head_learns_faster(evidence: Evidence, key: str) -> Proof:
    """The key decides the rate of some parameters of the built optimizer, and others have another rate."""
    return rules_are_live(evidence, [f"custom_keys.{key}.lr_mult"])
