"""Cosine decay with warm restarts."""

from __future__ import annotations

from tricklab.errors import UserError
from tricklab.optim.clock import ROUNDING, RunLength, Unit, position
from tricklab.optim.schedules.cosine import half_cosine
from tricklab.optim.schedules.schedule import Schedule, check_positive, check_ratio
from tricklab.registry import component


@component("schedule", source="Loshchilov & Hutter, SGDR, ICLR 2017; torch's CosineAnnealingWarmRestarts")
class CosineRestarts(Schedule):
    """Decay along half a cosine again and again, each cycle longer than the last by a factor.

    Args:
        period: length of the first cycle (T_0).
        multiplier: length of a cycle over that of the one before (T_mult).
        eta_min_ratio: share of the learning rate at the end of a cycle.
    """

    def __init__(
        self,
        period: float,
        multiplier: int = 1,
        eta_min_ratio: float = 0.0,
        unit: Unit = "epochs",
        begin: float = 0,
        end: float | None = None,
    ) -> None:
        super().__init__(unit, begin, end)
        check_positive(period, "CosineRestarts.period")
        if multiplier < 1:
            raise UserError(f"must be 1 or more, not {multiplier}", where="CosineRestarts.multiplier")
        check_ratio(eta_min_ratio, "CosineRestarts.eta_min_ratio")
        self.period, self.multiplier, self.eta_min_ratio = period, multiplier, eta_min_ratio

    def factor(self, step: int, clock: RunLength) -> float:
        elapsed, _ = self.elapsed(step, clock)
        over = self.end is not None and position(step, self.unit, clock) >= self.end
        period = float(self.period)
        # at `end` the last cycle stays finished: no restart that would then be held
        while elapsed > period + ROUNDING or (elapsed > period - ROUNDING and not over):
            elapsed, period = max(elapsed - period, 0.0), period * self.multiplier
        return half_cosine(min(elapsed / period, 1.0), 1.0, self.eta_min_ratio)
