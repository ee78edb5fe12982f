"""Where a training stands: steps, epochs and samples, and when something that is counted in any of them is due."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from tricklab.errors import UserError
from tricklab.optim.branches import Branches
from tricklab.optim.clock import Unit, position

UNITS: tuple[Unit, ...] = get_args(Unit)


@dataclass(frozen=True)
class RunClock:
    """The arithmetic of one training. A step is one optimizer step and the same as an iteration.

    Every epoch ends with a step, so that the last micro-batches of an epoch never mix with those of the next.

    Args:
        samples_per_epoch: items that one epoch draws.
        batch_size: items of a full micro-batch.
        accumulate: micro-batches in one step.
        total_steps: steps of the whole training.
        branches: where it goes back to a branch point, if it does.

    >>> clock = RunClock(samples_per_epoch=10, batch_size=4, accumulate=1, total_steps=7)
    >>> clock.steps_per_epoch, clock.samples_at(3), clock.samples_at(4), clock.epoch_at(6)
    (3, 10, 14, 2.0)
    """

    samples_per_epoch: int
    batch_size: int
    accumulate: int
    total_steps: int
    branches: Branches | None = None

    @property
    def batches_per_epoch(self) -> int:
        """Micro-batches of one epoch; the last one may be smaller."""
        return math.ceil(self.samples_per_epoch / self.batch_size)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one epoch."""
        return math.ceil(self.batches_per_epoch / self.accumulate)

    def epoch_at(self, step: int) -> float:
        """Epochs finished after ``step`` steps, with the fraction of the running one."""
        return step / self.steps_per_epoch

    def samples_at(self, step: int) -> int:
        """Samples seen after ``step`` steps."""
        epochs, rest = divmod(step, self.steps_per_epoch)
        return epochs * self.samples_per_epoch + min(rest * self.accumulate * self.batch_size, self.samples_per_epoch)

    def batches_at(self, step: int) -> int:
        """Micro-batches drawn after ``step`` steps."""
        epochs, rest = divmod(step, self.steps_per_epoch)
        return epochs * self.batches_per_epoch + min(rest * self.accumulate, self.batches_per_epoch)

    def items_of(self, batch: int) -> int:
        """Items of micro-batch number ``batch`` of an epoch; only the last has fewer than the others."""
        return min(self.batch_size, self.samples_per_epoch - batch * self.batch_size)

    def place_at(self, step: int) -> tuple[int, int]:
        """(epoch, micro-batch within it) that comes next after ``step`` steps."""
        return divmod(self.batches_at(step), self.batches_per_epoch)


def run_clock(train: Mapping[str, Any], samples_per_epoch: int) -> RunClock:
    """The clock of a recipe's ``train`` section, whose length is counted in epochs, iterations or samples.

    Raises:
        UserError: not exactly one length is given, it is below 1, there is nothing to train on, or too little for the
            branches.
    """
    if samples_per_epoch < 1:
        raise UserError("the split has no training samples", where="data.split", fix="give train a larger share")
    given = {unit: train[unit] for unit in UNITS if train.get(unit) is not None}
    if len(given) != 1:
        raise UserError(
            f"the length of the training must be given once, not {len(given)} times",
            where="train",
            fix="give exactly one of epochs, iterations, samples",
        )
    (unit, length), *_ = given.items()
    if length < 1:
        raise UserError(f"{unit} must be 1 or more, not {length}", where=f"train.{unit}")
    batch_size = int(train["batch_size"])
    once = RunClock(samples_per_epoch, batch_size, int(train["accumulate"]), 1)
    if unit == "epochs":
        steps = int(length) * once.steps_per_epoch
    elif unit == "iterations":
        steps = int(length)
    else:
        epochs, rest = divmod(int(length), samples_per_epoch)
        steps = epochs * once.steps_per_epoch + math.ceil(rest / (batch_size * once.accumulate))
    branches = train.get("branches")
    planned = None if branches is None else Branches.plan(**branches, total_steps=steps)
    return RunClock(samples_per_epoch, batch_size, once.accumulate, steps, planned)


@dataclass(frozen=True)
class Every:
    """A recurring moment: every ``count`` epochs, iterations or samples, and always after the last step.

    >>> clock = RunClock(samples_per_epoch=10, batch_size=4, accumulate=1, total_steps=7)
    >>> [step for step in range(1, 8) if Every("samples", 8).due(step, clock)]
    [2, 5, 7]
    """

    unit: Unit | None
    count: float = 1

    @classmethod
    def read(cls, config: Mapping[str, Any] | None, where: str) -> Every:
        """From a recipe's ``{epochs: 1}``; None means only at the end.

        Raises:
            UserError: not exactly one known unit, or a count that is not above zero.
        """
        if config is None:
            return cls(None)
        given = {unit: count for unit, count in config.items() if count is not None}
        if len(given) != 1 or not set(given) <= set(UNITS):
            raise UserError(f"{dict(config)!r} is no interval", where=where, fix=f"give one of {', '.join(UNITS)}")
        (unit, count), *_ = given.items()
        if not count > 0:
            raise UserError(f"an interval must be above zero, not {count}", where=where)
        return cls(cast(Unit, unit), count)

    def due(self, step: int, clock: RunClock) -> bool:
        """Whether the moment lies at the end of step ``step`` (1 and up)."""
        if step == clock.total_steps:
            return True
        if self.unit is None:
            return False
        done, before = (position(at, self.unit, clock) for at in (step, step - 1))
        return math.floor(done / self.count) > math.floor(before / self.count)
