"""Polynomial decay."""

from __future__ import annotations

from tricklab.optim.clock import RunLength, Unit
from tricklab.optim.schedules.schedule import Schedule, check_positive, check_ratio
from tricklab.registry import component


@component("schedule", source="Liu et al., ParseNet, 2015; torch.optim.lr_scheduler.PolynomialLR")
class Poly(Schedule):
    """Decay by (1 - t / T) ^ power, the usual schedule of segmentation.

    Args:
        power: 1 is a straight line.
        eta_min_ratio: share of the learning rate at the end.
    """

    def __init__(
        self,
        power: float = 0.9,
        eta_min_ratio: float = 0.0,
        unit: Unit = "epochs",
        begin: float = 0,
        end: float | None = None,
    ) -> None:
        super().__init__(unit, begin, end)
        check_positive(power, "Poly.power")
        check_ratio(eta_min_ratio, "Poly.eta_min_ratio")
        self.power, self.eta_min_ratio = power, eta_min_ratio

    def factor(self, step: int, clock: RunLength) -> float:
        elapsed, length = self.elapsed(step, clock)
        return float(self.eta_min_ratio + (1 - self.eta_min_ratio) * (1 - elapsed / length) ** self.power)
