"""Equal cycles of the learning rate over the rest of a run: where each begins, is lowest and ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tricklab.errors import UserError
from tricklab.optim.clock import ROUNDING, RunLength

Shape = Literal["cosine", "linear", "triangle"]


@dataclass(frozen=True)
class Cycle:
    """One cycle in finished steps: the rate falls for the steps ``first`` to ``low`` and rises for those to ``end``."""

    first: int
    low: int
    end: int


def first_step(start: float, total_steps: int) -> int:
    """The step (finished ones before it) with which the rest of a run begins, ``start`` being a share of the run.

    >>> first_step(0.7, 10)
    7
    """
    return math.ceil(start * total_steps - ROUNDING)


def cycles_of(cycles: int, start: float, shape: Shape, clock: RunLength, where: str) -> list[Cycle]:
    """The cycles from the share ``start`` of a run to its end.

    A triangle falls and rises again; the last one only falls, so that every shape ends the run where the rate is lowest
    and no step is spent after the last collected weights.

    Args:
        cycles: how many, at least 1.
        start: share of the run in [0, 1) after which they begin.
        shape: ``cosine`` and ``linear`` fall and leap up; ``triangle`` falls and rises.
        where: the component that asks, for errors.

    Raises:
        UserError: numbers outside their range, or fewer than one step for each rise and fall.

    >>> from tricklab.optim.clock import Clock
    >>> cycles_of(2, 0.5, "linear", Clock(steps_per_epoch=4, batch_size=8, total_steps=12), "Swa")
    [Cycle(first=6, low=9, end=9), Cycle(first=9, low=12, end=12)]
    >>> cycles_of(2, 0.5, "triangle", Clock(steps_per_epoch=4, batch_size=8, total_steps=12), "Swa")
    [Cycle(first=6, low=8, end=10), Cycle(first=10, low=12, end=12)]
    """
    if not 0 <= start < 1:
        raise UserError(f"must lie in [0, 1), not {start}", where=f"{where}.start")
    if cycles < 1:
        raise UserError(f"must be 1 or more, not {cycles}", where=f"{where}.cycles")
    total = clock.total_steps
    begin = first_step(start, total)
    # in half cycles: a triangle without its last rise has an odd number of them
    halves = 2 * cycles - 1 if shape == "triangle" else 2 * cycles
    least = halves if shape == "triangle" else cycles
    if total - begin < least:
        raise UserError(
            f"{cycles} cycles do not fit into the last {total - begin} steps of the run",
            where=where,
            fix="fewer cycles, an earlier start, or a longer training",
        )

    def at(half: int) -> int:
        return begin + round((total - begin) * half / halves)

    if shape == "triangle":
        return [Cycle(at(2 * i), at(2 * i + 1), at(min(2 * i + 2, halves))) for i in range(cycles)]
    return [Cycle(at(2 * i), at(2 * i + 2), at(2 * i + 2)) for i in range(cycles)]
