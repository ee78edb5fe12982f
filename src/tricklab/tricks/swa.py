"""Stochastic weight averaging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._averaging import average_moves, average_scored
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("swa", stage="evaluate", source="Izmailov et al., UAI 2018, arXiv 1803.05407")
def swa(recipe: Recipe, start: Share = 0.75) -> Recipe:
    """Average the weights equally over the last part of training, from the share ``start`` on; evaluate the average.

    The learning rate is left alone: the paper's high constant or cyclic rate at the end is a schedule of its own.
    Raw and averaged weights are both scored.
    """
    averaging = {"type": "Swa", "start": start}
    return recipe.set("evaluate.averaging", averaging).set("evaluate.weights", "average")


@swa.probe(when="fit")
def moves(evidence: Evidence) -> Proof:
    """At least two sets of weights were averaged, and the average is neither the raw nor the initial weights."""
    return average_moves(evidence, "Swa", least_updates=2)


@swa.probe(when="evaluate")
def scored(evidence: Evidence) -> Proof:
    """The averaged weights were what was scored."""
    return average_scored(evidence, "Swa")
