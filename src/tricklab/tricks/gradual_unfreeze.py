"""Layers that join the training one after the other, from the head backwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._freezing import held
from tricklab.tricks._types import Count

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("gradual_unfreeze", source="Howard & Ruder, ULMFiT, ACL 2018, arXiv 1801.06146, section 3.3")
def gradual_unfreeze(recipe: Recipe, times: Count = 3, epochs: Count = 1, layers: Count = 1) -> Recipe:
    """Train the last layers alone at first and let more of them join, from the head backwards.

    ``layers`` join every ``epochs``, so many ``times``; after the last time everything trains. The head trains from the
    first step. Makes sense with pre-trained weights.
    """
    for time in range(1, times + 1):
        recipe = recipe.append("train.freeze", {"layers": -time * layers, "until": {"epochs": time * epochs}})
    return recipe


@gradual_unfreeze.probe(when="fit")
def layers_joined(evidence: Evidence, times: int, layers: int) -> Proof:
    """Each group of layers kept its bits until its moment and moved after it."""
    return held(evidence, [f"layers: {-time * layers}" for time in range(1, times + 1)])
