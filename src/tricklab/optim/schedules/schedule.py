"""What the schedules share: a factor on the learning rate as a pure function of the step."""

from __future__ import annotations

import abc
from typing import ClassVar

from tricklab.errors import UserError
from tricklab.optim.clock import RunLength, Unit, position


class Schedule(abc.ABC):
    """A factor on the learning rate between ``begin`` and ``end``, counted in ``unit`` from the run's start.

    A step is the number of optimizer steps already done, so step 0 sets the rate of the first. Epochs are real numbers:
    a curve moves within an epoch and meets torch's value at each epoch's start. Before ``begin`` the factor is that of
    the schedule's first moment, from ``end`` on that of its last. Factors of several schedules multiply.
    """

    lasting: ClassVar[bool] = False
    """Whether it still multiplies when a :class:`LastPart` has taken over."""

    def __init__(self, unit: Unit = "epochs", begin: float = 0, end: float | None = None) -> None:
        if begin < 0:
            raise UserError(f"begin must not be negative, not {begin}", where=f"{type(self).__name__}.begin")
        if end is not None and end <= begin:
            raise UserError(f"end ({end}) must lie after begin ({begin})", where=f"{type(self).__name__}.end")
        self.unit, self.begin, self.end = unit, begin, end

    @abc.abstractmethod
    def factor(self, step: int, clock: RunLength) -> float:
        """Factor on every group's learning rate for the optimizer step that follows ``step`` finished ones."""

    def momentum(self, step: int, clock: RunLength) -> float | None:
        """Momentum (Adam: first beta) for that step, or None to leave it."""
        return None

    def active(self, step: int, clock: RunLength) -> bool:
        """Whether that step lies between ``begin`` and ``end``."""
        now = position(step, self.unit, clock)
        return self.begin <= now and (self.end is None or now < self.end)

    def elapsed(self, step: int, clock: RunLength) -> tuple[float, float]:
        """(units since ``begin``, clamped to the schedule; units from ``begin`` to ``end``)."""
        end = position(clock.total_steps, self.unit, clock) if self.end is None else self.end
        length = end - self.begin
        if length <= 0:
            raise UserError(
                f"begins at {self.begin:g} {self.unit}, but the run ends after {end:g} {self.unit}",
                where=f"schedule, {type(self).__name__}.begin",
                fix="begin earlier, or train longer",
            )
        return min(max(position(step, self.unit, clock) - self.begin, 0.0), length), length


class LastPart(Schedule):
    """A schedule that takes over from the others in the last part of a run, instead of multiplying with them."""

    @abc.abstractmethod
    def takes_over(self, clock: RunLength) -> int:
        """The first step (finished ones before it) whose rate is this schedule's."""

    @abc.abstractmethod
    def factor_after(self, before: float, step: int, clock: RunLength) -> float:
        """Factor of a step from there on.

        Args:
            before: the others' factor at the step of :meth:`takes_over`.
        """

    def factor(self, step: int, clock: RunLength) -> float:
        """1 until it takes over, then its own factor, as if no other schedule stood beside it."""
        return self.factor_after(1.0, step, clock) if step >= self.takes_over(clock) else 1.0


def check_positive(value: float, where: str) -> None:
    """Refuse zero and below."""
    if not value > 0:
        raise UserError(f"must be above zero, not {value}", where=where)


def check_ratio(value: float, where: str) -> None:
    """Refuse a share of the learning rate outside [0, 1]."""
    if not 0 <= value <= 1:
        raise UserError(f"is a share of the learning rate and must lie in [0, 1], not {value}", where=where)
