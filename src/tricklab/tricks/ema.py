"""Exponential moving average of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._averaging import average_moves, average_scored
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Count, OpenShare

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("ema", stage="evaluate", source="Polyak & Juditsky 1992; timm ModelEmaV3 (warm-up)")
def ema(recipe: Recipe, decay: OpenShare = 0.999, warmup: bool = True, every: Count = 1) -> Recipe:
    """Average the weights exponentially while training; evaluate the average.

    The average forgets with a time constant of 1 / (1 - decay) steps: without warm-up it still holds decay^steps of the
    initial weights (37 % after 10,000 steps at .9999). With ``every`` only each so-many-th step is an update and the
    decay is that of an update. Raw and averaged weights are both scored.
    """
    averaging = {"type": "Ema", "decay": decay, "warmup": warmup, "every": every}
    return recipe.set("evaluate.averaging", averaging).set("evaluate.weights", "average")


@ema.probe(when="first_steps")
def moves(evidence: Evidence) -> Proof:
    """The averaged weights differ from the raw ones and from the initial ones."""
    return average_moves(evidence, "Ema")


@ema.probe(when="evaluate")
def scored(evidence: Evidence) -> Proof:
    """The averaged weights were what was scored."""
    return average_scored(evidence, "Ema")
