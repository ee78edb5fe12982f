"""Learning-rate drops at given moments."""

from __future__ import annotations

import bisect

from tricklab.errors import UserError
from tricklab.optim.clock import ROUNDING, RunLength, Unit
from tricklab.optim.schedules.schedule import Schedule, check_positive
from tricklab.registry import component


@component("schedule", source="torch.optim.lr_scheduler.MultiStepLR")
class MultiStep(Schedule):
    """Multiply the learning rate by gamma at each milestone.

    Args:
        milestones: moments after ``begin``; a milestone of 41 epochs acts from the 0-based epoch 41 on, which is what a
            loop that asks ``if epoch > 40`` does.
        gamma: factor at each milestone.

    >>> from tricklab.optim.clock import Clock
    >>> [MultiStep([41, 76]).factor(epoch * 16, Clock(16, 64, 1600)) for epoch in (40, 41, 76)]
    [1.0, 0.1, 0.010000000000000002]
    """

    def __init__(
        self,
        milestones: list[float],
        gamma: float = 0.1,
        unit: Unit = "epochs",
        begin: float = 0,
        end: float | None = None,
    ) -> None:
        super().__init__(unit, begin, end)
        check_positive(gamma, "MultiStep.gamma")
        if not milestones or any(late <= early for early, late in zip([0, *milestones], milestones, strict=False)):
            raise UserError(
                f"milestones must be above zero and rise, not {milestones}",
                where="MultiStep.milestones",
                fix="say [41, 76]",
            )
        self.milestones, self.gamma = milestones, gamma

    def factor(self, step: int, clock: RunLength) -> float:
        elapsed, _ = self.elapsed(step, clock)
        return float(self.gamma ** bisect.bisect_right(self.milestones, elapsed + ROUNDING))
