"""What a schedule must know of a run's length to turn a step into epochs or samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

Unit = Literal["epochs", "iterations", "samples"]
ROUNDING = 1e-9
"""What may be lost when moments in epochs are multiplied, divided or subtracted; far below any step."""


class RunLength(Protocol):
    """Anything that knows these three; ``Clock`` is one."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        ...

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the run."""
        ...

    def samples_at(self, step: int) -> int:
        """Samples seen after ``step`` steps."""
        ...


@dataclass(frozen=True)
class Clock:
    """Length of a run in optimizer steps.

    Args:
        steps_per_epoch: optimizer steps of an epoch.
        batch_size: samples of a full step, over all micro-batches and ranks.
        total_steps: optimizer steps of the run.
        samples_per_epoch: samples of an epoch, where the last step of an epoch is not full.
    """

    steps_per_epoch: int
    batch_size: int
    total_steps: int
    samples_per_epoch: int | None = None

    def samples_at(self, step: int) -> int:
        """Samples seen after ``step`` steps."""
        an_epoch = self.samples_per_epoch or self.steps_per_epoch * self.batch_size
        epochs, rest = divmod(step, self.steps_per_epoch)
        return epochs * an_epoch + min(rest * self.batch_size, an_epoch)


def position(step: int, unit: Unit, clock: RunLength) -> float:
    """How far a run is after ``step`` steps, in ``unit``; epochs with their fraction.

    >>> position(30, "epochs", Clock(steps_per_epoch=20, batch_size=64, total_steps=100))
    1.5
    """
    match unit:
        case "epochs":
            return step / clock.steps_per_epoch
        case "iterations":
            return float(step)
        case "samples":
            return float(clock.samples_at(step))


def steps_until(amount: float, unit: Unit, clock: RunLength) -> int:
    """The first step at which ``amount`` of ``unit`` is reached.

    >>> steps_until(0.7, "epochs", Clock(steps_per_epoch=10, batch_size=64, total_steps=100))
    7
    """
    match unit:
        case "epochs":
            # 0.7 * 10 is a little more than 7
            return math.ceil(amount * clock.steps_per_epoch - ROUNDING)
        case "iterations":
            return math.ceil(amount)
        case "samples":
            epochs, rest = divmod(amount, clock.samples_at(clock.steps_per_epoch))
            return int(epochs) * clock.steps_per_epoch + math.ceil(rest / clock.samples_at(1))
