"""Stochastic weight averaging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.errors import UserError
from tricklab.tricks._averaging import average_moves, average_scored
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._last_part import cycle_schedule, ended_at, went_through_cycles
from tricklab.tricks._types import Amount, Count, Positive, Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "swa",
    stage="evaluate",
    source="Izmailov et al., UAI 2018, arXiv 1803.05407; torch SWALR",
    trains_with=("lr_ratio",),
)
def swa(
    recipe: Recipe,
    start: Share = 0.75,
    lr_ratio: Positive | None = None,
    anneal: Amount | None = None,
    cycles: Count | None = None,
) -> Recipe:
    """Average the weights equally over the last part of training, from the share ``start`` on; evaluate the average.

    By itself it leaves the learning rate alone and shares the baseline's training. With ``lr_ratio`` the rate is the
    paper's: from ``start`` on it is annealed over ``anneal`` epochs (5) to that share of the optimizer's, and stays
    there. With ``cycles`` as well it falls so many times from there to a hundredth, and weights are collected where it
    is lowest. Raw and averaged weights are both scored.
    """
    averaging = {"type": "Swa", "start": start, **({} if cycles is None else {"cycles": cycles})}
    recipe = recipe.set("evaluate.averaging", averaging).set("evaluate.weights", "average")
    if lr_ratio is None:
        given = next((name for name, value in (("anneal", anneal), ("cycles", cycles)) if value is not None), None)
        if given is not None:
            raise UserError(f"{given} does nothing without lr_ratio", fix="say lr_ratio=0.5")
        return recipe
    if cycles is None:
        epochs = 5.0 if anneal is None else anneal
        return recipe.append(
            "schedule", {"type": "SWALR", "lr_ratio": lr_ratio, "start": start, "anneal_epochs": epochs}
        )
    if anneal is not None:
        raise UserError("anneal leads to a constant rate, cycles to a moving one", fix="give one of them")
    return recipe.append("schedule", cycle_schedule(cycles, start, "linear", lr_ratio, lr_ratio / 100))


@swa.probe(when="fit")
def moves(evidence: Evidence) -> Proof:
    """At least two sets of weights were averaged, and the average is neither the raw nor the initial weights."""
    return average_moves(evidence, "Swa", least_updates=2)


@swa.probe(when="evaluate")
def scored(evidence: Evidence) -> Proof:
    """The averaged weights were what was scored."""
    return average_scored(evidence, "Swa")


@swa.probe(when="fit")
def rate_was_set(evidence: Evidence, lr_ratio: float | None, cycles: int | None) -> Proof:
    """Where a rate was asked for, the optimizer's learning rate was it in the end, or went through the cycles."""
    if lr_ratio is None:
        asked = (evidence.recipe.get("evaluate", {}).get("averaging") or {}).get("type")
        return Proof(asked == "Swa", "the learning rate was left alone, as asked")
    if cycles is not None:
        return went_through_cycles(evidence, cycles)
    return ended_at(evidence, "SWALR", lr_ratio)
