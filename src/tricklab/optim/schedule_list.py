"""A recipe's ``schedule`` section: several schedules whose factors multiply."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tricklab import registry
from tricklab.errors import UserError, nearest
from tricklab.optim.branches import Branches, PathLength
from tricklab.optim.clock import RunLength
from tricklab.optim.schedules.schedule import LastPart


class Schedules:
    """The product of a list of schedules over a run; no schedule leaves the rate as it is.

    A schedule of the last part of a run (``SWALR``, ``EqualCycles``) takes over from the others; only warm-ups go on.

    Args:
        configs: one mapping a schedule.
        clock: length of the run.
        branches: where the run goes back, if it does: schedules then see one path from the start to a branch's end.

    Raises:
        UserError: a schedule is wrong, begins after the run ends, or watches a number in a run that goes back; two of
            them move the momentum or take over.

    >>> from tricklab.optim.clock import Clock
    >>> warm = {"type": "LinearWarmup", "end": 2, "start_factor": 0.5}
    >>> drop = {"type": "MultiStep", "milestones": [3]}
    >>> schedules = Schedules([warm, drop], Clock(steps_per_epoch=1, batch_size=8, total_steps=5))
    >>> [schedules.factor(step) for step in range(5)]
    [0.5, 0.75, 1.0, 0.1, 0.1]
    """

    def __init__(
        self, configs: Sequence[Mapping[str, Any]], clock: RunLength, branches: Branches | None = None
    ) -> None:
        self.clock, self.branches = clock, branches
        self.path: RunLength = clock if branches is None else PathLength(clock, branches.path_length)
        self.schedules: list[Any] = [registry.build("schedule", config) for config in configs]
        moving = [type(s).__name__ for s in self.schedules if s.momentum(0, self.path) is not None]
        if len(moving) > 1:
            raise UserError(f"two schedules move the momentum: {', '.join(moving)}", where="schedule")
        last = [s for s in self.schedules if isinstance(s, LastPart)]
        if len(last) > 1:
            raise UserError(f"two schedules take over: {', '.join(type(s).__name__ for s in last)}", where="schedule")
        self._last = last[0] if last else None
        if branches is not None and self.watches:
            raise UserError("a schedule that watches a number cannot go back to a branch point", where="schedule")
        self.factor(0)
        if self._last is not None:
            # what does not fit into the run is said now, not when its time has come
            self.factor(self._last.takes_over(self.path))

    def factor(self, step: int) -> float:
        """Factor on every group's learning rate for the optimizer step that follows ``step`` finished ones."""
        last = self._last
        if last is None or step < (begin := last.takes_over(self.path)):
            return self._product(step, self.schedules)
        lasting = [schedule for schedule in self.schedules if getattr(schedule, "lasting", False)]
        others = [schedule for schedule in self.schedules if schedule not in (*lasting, last)]
        return self._product(step, lasting) * last.factor_after(self._product(begin, others), step, self.path)

    def momentum(self, step: int) -> float | None:
        """Momentum for that step, or None where no schedule moves it."""
        found = (schedule.momentum(step, self.path) for schedule in self.schedules)
        return next((value for value in found if value is not None), None)

    def apply(self, optimizer: torch.optim.Optimizer, step: int) -> float:
        """Set every group's learning rate (and momentum) for that step; returns the first group's rate.

        The rate is always ``initial_lr`` times the factor, so it does not matter which steps were applied before.
        """
        along = step if self.branches is None else self.branches.along_path(step)
        factor, momentum = self.factor(along), self.momentum(along)
        if self.branches is not None:
            factor *= self.branches.lr_ratio(step)
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
            if momentum is not None:
                set_momentum(group, momentum)
        return float(optimizer.param_groups[0]["lr"])

    def observe(self, values: Mapping[str, float]) -> list[str]:
        """Show an evaluation's row to the schedules that watch a number; returns the names of those that dropped.

        Raises:
            UserError: a watched number is not in the row.
        """
        dropped = []
        for index, schedule in enumerate(self.schedules):
            if not hasattr(schedule, "observe"):
                continue
            if schedule.monitor not in values:
                raise UserError(
                    f"no evaluation gives {schedule.monitor!r}",
                    where=f"schedule.{index}.monitor",
                    fix=nearest(schedule.monitor, values),
                )
            if schedule.observe(float(values[schedule.monitor])):
                dropped.append(type(schedule).__name__)
        return dropped

    def _product(self, step: int, schedules: Sequence[Any]) -> float:
        return math.prod((schedule.factor(step, self.path) for schedule in schedules), start=1.0)

    @property
    def watches(self) -> list[str]:
        """Names of the numbers that ``observe`` must be shown."""
        return [schedule.monitor for schedule in self.schedules if hasattr(schedule, "observe")]

    def planned(self, points: int = 200) -> list[list[float]]:
        """The fact ``schedule/planned``: [[step, factor], ...] wherever the factor changes, at most about ``points``.

        Steps are looked at one by one up to 100,000, beyond that at equal distances. What a plateau will do is not
        planned.
        """
        stride = max(1, self.path.total_steps // 100_000)
        found: list[list[float]] = []
        for step in range(0, self.path.total_steps, stride):
            factor = self.factor(step)
            if not found or factor != found[-1][1]:
                found.append([step, factor])
        if len(found) <= points:
            return found
        kept = {round(i * (len(found) - 1) / (points - 1)) for i in range(points)}
        return [found[i] for i in sorted(kept)]

    def state_dict(self) -> list[dict[str, Any]]:
        """State of each schedule; empty for those that need none."""
        return [schedule.state_dict() if hasattr(schedule, "state_dict") else {} for schedule in self.schedules]

    def load_state_dict(self, state: Sequence[dict[str, Any]]) -> None:
        """Go on from ``state_dict``."""
        for schedule, found in zip(self.schedules, state, strict=True):
            if found:
                schedule.load_state_dict(found)


def set_momentum(group: dict[str, Any], momentum: float) -> None:
    """Set a parameter group's momentum: ``momentum`` of SGD, the first of ``betas`` of Adam.

    Raises:
        UserError: the optimizer has neither.
    """
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    elif "momentum" in group:
        group["momentum"] = momentum
    else:
        raise UserError("this optimizer has no momentum to move", where="schedule", fix="set base_momentum to null")
