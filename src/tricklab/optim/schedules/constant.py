"""A constant share of the learning rate for a while."""

from __future__ import annotations

from tricklab.optim.clock import RunLength, Unit
from tricklab.optim.schedules.schedule import Schedule, check_positive
from tricklab.registry import component


@component("schedule", source="torch.optim.lr_scheduler.ConstantLR")
class Constant(Schedule):
    """Multiply the learning rate by a factor from begin until end, and by 1 outside.

    Args:
        factor: the factor; without an end it holds to the end of the run.
    """

    def __init__(self, factor: float, unit: Unit = "epochs", begin: float = 0, end: float | None = None) -> None:
        super().__init__(unit, begin, end)
        check_positive(factor, "Constant.factor")
        self.value = factor

    def factor(self, step: int, clock: RunLength) -> float:
        return self.value if self.active(step, clock) else 1.0
