"""O16: parts of a schedule that lie beyond the end of the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence

UNITS = ("epochs", "iterations", "samples")


class ScheduleBeyondRun(Rule):
    """A milestone, a first drop, a beginning or the end of a warm-up lies where the run has already ended."""

    id: ClassVar[str] = "O16"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "first_steps")

    def check(self, evidence: Evidence) -> Finding | None:
        late: list[str] = []
        for index, schedule in enumerate(evidence.recipe.get("schedule") or ()):
            length = run_length(evidence, str(schedule.get("unit", "epochs")))
            if length is not None:
                late += [f"schedule.{index}.{what}, but the run ends at {length:g}" for what in _late(schedule, length)]
        if not late:
            return None
        numbers: dict[str, Any] = {"late": late}
        planned = evidence.fact("schedule/planned")
        if planned:
            numbers |= {"last_change_step": planned[-1][0], "last_factor": planned[-1][1]}
        return Finding(
            self.id,
            "warning",
            "a part of the schedule never happens: " + "; ".join(late),
            numbers,
            ("the run was shortened and its schedule was not", "the schedule counts in another unit than was meant"),
            "tricklab explain shows where train and schedule got their values; the curve of lr shows what happened",
        )


def run_length(evidence: Evidence, unit: str) -> float | None:
    """Length of the run in a schedule's unit, or None where the facts do not tell it."""
    train = evidence.recipe.get("train") or {}
    given = [(name, train[name]) for name in UNITS if train.get(name) is not None]
    if len(given) != 1 or unit not in UNITS:
        return None
    name, amount = given[0]
    if name == unit:
        return float(amount)
    samples = (evidence.fact("data/sizes") or {}).get("train")
    batch = train.get("batch_size")
    if not samples or not batch:
        return None
    steps = math.ceil(math.ceil(samples / batch) / (train.get("accumulate") or 1))
    an_epoch = {"epochs": 1.0, "iterations": float(steps), "samples": float(samples)}
    return amount / an_epoch[name] * an_epoch[unit]


def _late(schedule: Mapping[str, Any], length: float) -> list[str]:
    """What of one schedule lies at or beyond ``length``, as ``key=value``."""
    begin, kind = schedule.get("begin") or 0, schedule.get("type")
    if begin >= length:
        return [f"begin={begin:g}"]
    if kind == "MultiStep":
        last = length if schedule.get("end") is None else min(length, schedule["end"])
        return [f"milestones: {moment:g}" for moment in schedule.get("milestones") or () if begin + moment >= last]
    if kind == "Step" and begin + schedule.get("step_size", 0) >= length:
        return [f"step_size={schedule['step_size']:g}"]
    if kind == "LinearWarmup" and schedule.get("end", 0) > length:
        return [f"end={schedule['end']:g}"]
    return []
