"""Gradient clipping by value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._clipping import were_clipped, with_clipping
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("clip_value", source="Mikolov, Statistical Language Models, 2012; torch.nn.utils.clip_grad_value_")
def clip_value(recipe: Recipe, value: Positive = 0.5) -> Recipe:
    """Cut every element of the gradient to at most this size. Takes the place of another clipping.

    The gradient's direction changes; ``clip_norm`` keeps it.
    """
    return with_clipping(recipe, "clip_value", value)


@clip_value.probe(when="fit")
def some_were_clipped(evidence: Evidence) -> Proof:
    """At least one step's gradient had an element above the bound: a bound that is never reached does nothing."""
    return were_clipped(evidence, "clip_value")
