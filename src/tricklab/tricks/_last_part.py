"""Rates of the last part of a run: their place in the schedule, and whether the optimizer really had them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from tricklab.tricks._base import Proof
from tricklab.tricks._schedules import scheduled

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


def cycle_schedule(cycles: int, start: float, shape: str, high: float, low: float) -> dict[str, Any]:
    """The schedule item of equal cycles from the share ``start`` of the run to its end."""
    return {"type": "EqualCycles", "cycles": cycles, "start": start, "shape": shape, "high": high, "low": low}


def ended_at(evidence: Evidence, kind: str, ratio: float) -> Proof:
    """Whether the last learning rate was that share of the optimizer's."""
    _, rates = evidence.series("lr")
    full = evidence.recipe.get("optimizer", {}).get("lr")
    if scheduled(evidence, kind) is None or not len(rates) or full is None:
        return Proof(False, f"{len(rates)} learning rates are logged; a {kind} in the schedule and one are needed")
    last = float(rates[-1])
    text = f"the learning rate ended at {last:.3g}; asked for {ratio * full:.3g}"
    return Proof(abs(last - ratio * full) <= 0.01 * ratio * full, text, {"last": last, "asked": ratio * full})


def went_through_cycles(evidence: Evidence, cycles: int) -> Proof:
    """Whether the planned rate leaps or turns upward so many times less one, and the logged rates fall and rise."""
    planned = [factor for _, factor in evidence.fact("schedule/planned") or ()]
    _, rates = evidence.series("lr")
    if scheduled(evidence, "EqualCycles") is None or len(planned) < 2 or len(rates) < 2:
        return Proof(False, f"{len(rates)} learning rates are logged; EqualCycles in the schedule and two are needed")
    # lowest points: the rate falls before them, and rises or ends after them
    falls = [later < earlier for earlier, later in itertools.pairwise(planned)]
    lows = sum(fall and not after for fall, after in zip(falls, [*falls[1:], False], strict=True))
    lowest, highest = float(rates.min()), float(rates.max())
    text = f"{lows} lowest points are planned, {cycles} asked for; rates from {lowest:.3g} to {highest:.3g} were set"
    return Proof(lows >= cycles and lowest < highest, text, {"lows": lows, "lowest": lowest, "highest": highest})
