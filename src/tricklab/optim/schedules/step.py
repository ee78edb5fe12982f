"""Learning-rate drops at equal distances."""

from __future__ import annotations

import math

from tricklab.optim.clock import ROUNDING, RunLength, Unit
from tricklab.optim.schedules.schedule import Schedule, check_positive
from tricklab.registry import component


@component("schedule", source="torch.optim.lr_scheduler.StepLR")
class Step(Schedule):
    """Multiply the learning rate by gamma every step_size units.

    Args:
        step_size: distance of two drops.
        gamma: factor at each drop.
    """

    def __init__(
        self, step_size: float, gamma: float = 0.1, unit: Unit = "epochs", begin: float = 0, end: float | None = None
    ) -> None:
        super().__init__(unit, begin, end)
        check_positive(step_size, "Step.step_size")
        check_positive(gamma, "Step.gamma")
        self.step_size, self.gamma = step_size, gamma

    def factor(self, step: int, clock: RunLength) -> float:
        elapsed, _ = self.elapsed(step, clock)
        return float(self.gamma ** math.floor(elapsed / self.step_size + ROUNDING))
