"""Linear warm-up."""

from __future__ import annotations

from typing import ClassVar

from tricklab.errors import UserError
from tricklab.optim.clock import RunLength, Unit
from tricklab.optim.schedules.schedule import Schedule
from tricklab.registry import component


@component("schedule", source="Goyal et al., 2017; torch.optim.lr_scheduler.LinearLR")
class LinearWarmup(Schedule):
    """Raise the learning rate in a straight line from a share of it to all of it.

    Args:
        end: moment at which the full rate is reached (torch's total_iters; OpenMMLab's LinearLR is there one step
            earlier).
        start_factor: share at ``begin``; 0 would make the first step do nothing and is refused.
    """

    lasting: ClassVar[bool] = True

    def __init__(self, end: float, start_factor: float = 0.001, unit: Unit = "epochs", begin: float = 0) -> None:
        super().__init__(unit, begin, end)
        if not 0 < start_factor < 1:
            raise UserError(f"must lie between 0 and 1, not {start_factor}", where="LinearWarmup.start_factor")
        self.start_factor = start_factor

    def factor(self, step: int, clock: RunLength) -> float:
        elapsed, length = self.elapsed(step, clock)
        return self.start_factor + (1 - self.start_factor) * elapsed / length
