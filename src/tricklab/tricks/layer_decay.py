"""Lower learning rates for the layers nearer the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import OpenShare

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("layer_decay", source="Bao et al., BEiT, ICLR 2022, arXiv 2106.08254; timm.optim.param_groups_layer_decay")
def layer_decay(recipe: Recipe, decay: OpenShare = 0.75) -> Recipe:
    """Multiply the learning rate by this once for each layer between a parameter and the head.

    For fine-tuning pre-trained weights: the first layers hardly move. Layers are timm's own for its models; weight
    decay stays as it is.
    """
    return recipe.set("optimizer.layer_decay", decay)


@layer_decay.probe(when="first_steps")
def layers_differ(evidence: Evidence, decay: float) -> Proof:
    """The rates that the built optimizer gives to the layers rise by this factor, layer by layer."""
    layers = evidence.fact("optimizer/layers", [])
    if len(layers) < 2:
        return Proof(False, f"learning rates of {len(layers)} layers are recorded; two are needed")
    lowest, highest = layers[0]["lr"], layers[-1]["lr"]
    steps = layers[-1]["layer"] - layers[0]["layer"]
    live = lowest < highest and lowest <= 1.001 * highest * decay ** (steps - 1)
    text = f"{len(layers)} layers learn at {lowest:.3g} (the first) to {highest:.3g} (the last)"
    return Proof(live, text, {"layers": len(layers), "first": lowest, "last": highest})
