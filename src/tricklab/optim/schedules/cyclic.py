"""Triangles between a low and the full learning rate."""

from __future__ import annotations

import math
from typing import Literal

from tricklab.optim.clock import RunLength, Unit
from tricklab.optim.schedules.schedule import Schedule, check_positive, check_ratio
from tricklab.registry import component


@component("schedule", source="Smith, WACV 2017; torch.optim.lr_scheduler.CyclicLR")
class Cyclic(Schedule):
    """Swing between a low share of the learning rate and all of it. Momentum stays as it is (torch's may swing too).

    Args:
        step_size_up: length of the rising half of a cycle.
        step_size_down: length of the falling half; as the rising one if not given.
        base_ratio: low end as a share of the optimizer's learning rate, which is the high end.
        mode: ``triangular``; ``triangular2`` halves the height every cycle; ``exp_range`` multiplies it by gamma every
            unit.
        gamma: of ``exp_range``.
    """

    def __init__(
        self,
        step_size_up: float,
        step_size_down: float | None = None,
        base_ratio: float = 0.1,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        unit: Unit = "epochs",
        begin: float = 0,
        end: float | None = None,
    ) -> None:
        super().__init__(unit, begin, end)
        check_positive(step_size_up, "Cyclic.step_size_up")
        if step_size_down is not None:
            check_positive(step_size_down, "Cyclic.step_size_down")
        check_ratio(base_ratio, "Cyclic.base_ratio")
        check_positive(gamma, "Cyclic.gamma")
        self.up = step_size_up
        self.down = step_size_up if step_size_down is None else step_size_down
        self.base_ratio, self.mode, self.gamma = base_ratio, mode, gamma

    def factor(self, step: int, clock: RunLength) -> float:
        elapsed, _ = self.elapsed(step, clock)
        cycle = math.floor(elapsed / (self.up + self.down))
        within = elapsed - cycle * (self.up + self.down)
        height = within / self.up if within <= self.up else 1 - (within - self.up) / self.down
        if self.mode == "triangular2":
            height /= 2.0**cycle
        elif self.mode == "exp_range":
            height *= self.gamma**elapsed
        return float(self.base_ratio + (1 - self.base_ratio) * height)
