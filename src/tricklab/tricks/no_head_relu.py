"""The head without activations between its dense layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "no_head_relu",
    tasks="hyperspectral",
    source="a widespread PyTorch port of HybridSN; the published network (Roy et al., GRSL 2020) has the ReLUs",
)
def no_head_relu(recipe: Recipe) -> Recipe:
    """Leave out the ReLU after the dense layers, so that the whole head is one affine map.

    A common slip in ports of HybridSN. Turn it on to see what the slip costs.
    """
    return recipe.set("model.head_relu", False)


@no_head_relu.probe(when="first_steps")
def negative_activations(evidence: Evidence) -> Proof:
    """Values below zero pass between the dense layers, which no ReLU lets through."""
    _, lowest = evidence.series("observe/head/hidden/min")
    if not len(lowest):
        return Proof(False, "the model reported no activations between its dense layers")
    low = float(lowest.min())
    return Proof(low < 0, f"the lowest activation between the dense layers is {low:.3g}", {"lowest": low})
