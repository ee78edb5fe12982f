"""No weight decay where it does harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("no_decay", source="He et al., CVPR 2019, arXiv 1812.01187, section 3.1; timm's no_weight_decay")
def no_decay(recipe: Recipe) -> Recipe:
    """Leave biases, norm scales and what the model itself names without weight decay.

    Sets ``optimizer.decay_norm_and_bias: false``: no decay for parameters of fewer than two dimensions nor for those of
    the model's ``no_weight_decay()``, such as position embeddings and a scan's decay rates. Needs a weight decay.
    """
    return recipe.set("optimizer.decay_norm_and_bias", False)


@no_decay.probe(when="first_steps")
def some_are_spared(evidence: Evidence) -> Proof:
    """Some parameters of the built optimizer have weight decay and others, among them vectors, have none."""
    spared = evidence.fact("optimizer/undecayed", [])
    groups = evidence.fact("optimizer/groups", [])
    decayed = sum(group["count"] for group in groups if group["weight_decay"] > 0)
    text = f"{len(spared)} parameters have no weight decay, {decayed} have some"
    return Proof(bool(spared) and decayed > 0, text, {"spared": len(spared), "decayed": decayed})
