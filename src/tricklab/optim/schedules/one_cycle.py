"""One cycle of the learning rate against one of the momentum."""

from __future__ import annotations

from typing import Literal

from tricklab.errors import UserError
from tricklab.optim.clock import RunLength, Unit, steps_until
from tricklab.optim.schedules.cosine import half_cosine
from tricklab.optim.schedules.schedule import Schedule, check_positive, check_ratio
from tricklab.registry import component


@component("schedule", source="Smith & Topin, 2018; torch.optim.lr_scheduler.OneCycleLR")
class OneCycle(Schedule):
    """Rise to the optimizer's learning rate, then fall far below the start, momentum the other way round.

    Counted in optimizer steps whatever the unit of begin and end, as torch does: the peak is at step pct_start * T - 1,
    the lowest rate at step T - 1.

    Args:
        pct_start: share of the steps that rise.
        div_factor: the optimizer's rate over the first one.
        final_div_factor: the first rate over the last one.
        anneal_strategy: ``cos`` or ``linear``.
        three_phase: fall back to the first rate in as many steps as it rose, then to the last one.
        base_momentum: momentum (Adam: first beta) at the peak, or None to leave momentum alone.
        max_momentum: momentum at both ends.
    """

    def __init__(
        self,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        three_phase: bool = False,
        base_momentum: float | None = 0.85,
        max_momentum: float = 0.95,
        unit: Unit = "epochs",
        begin: float = 0,
        end: float | None = None,
    ) -> None:
        super().__init__(unit, begin, end)
        check_ratio(pct_start, "OneCycle.pct_start")
        if three_phase and pct_start > 0.5:
            raise UserError(
                f"three phases rise and fall in 2 x {pct_start} of the steps",
                where="OneCycle.pct_start",
                fix="at most 0.5",
            )
        check_positive(div_factor, "OneCycle.div_factor")
        check_positive(final_div_factor, "OneCycle.final_div_factor")
        for name, value in (("base_momentum", base_momentum), ("max_momentum", max_momentum)):
            if value is not None and not 0 <= value < 1:
                raise UserError(f"must lie in [0, 1), not {value}", where=f"OneCycle.{name}")
        self.pct_start, self.div_factor, self.final_div_factor = pct_start, div_factor, final_div_factor
        self.anneal_strategy, self.three_phase = anneal_strategy, three_phase
        self.base_momentum, self.max_momentum = base_momentum, max_momentum

    def factor(self, step: int, clock: RunLength) -> float:
        first = 1 / self.div_factor
        return self._value(step, clock, first, 1.0, first / self.final_div_factor)

    def momentum(self, step: int, clock: RunLength) -> float | None:
        if self.base_momentum is None:
            return None
        return self._value(step, clock, self.max_momentum, self.base_momentum, self.max_momentum)

    def _value(self, step: int, clock: RunLength, first: float, peak: float, last: float) -> float:
        begin = steps_until(self.begin, self.unit, clock)
        end = clock.total_steps if self.end is None else steps_until(self.end, self.unit, clock)
        if end - begin < 2:
            raise UserError(
                f"a cycle needs at least two steps, not {end - begin}",
                where="schedule, OneCycle",
                fix="begin earlier, or train longer",
            )
        done = min(max(step - begin, 0), end - begin - 1)
        start, value = 0.0, first
        for stop, goal in self._phases(end - begin, first, peak, last):
            if done <= stop:
                break
            start, value = stop, goal
        share = (done - start) / (stop - start) if stop > start else 1.0
        if self.anneal_strategy == "linear":
            return value + (goal - value) * share
        return half_cosine(share, value, goal)

    def _phases(self, steps: int, first: float, peak: float, last: float) -> list[tuple[float, float]]:
        """(step at which a phase ends, value there)."""
        rise = float(self.pct_start * steps) - 1
        if self.three_phase:
            return [(rise, peak), (2 * rise, first), (steps - 1.0, last)]
        return [(rise, peak), (steps - 1.0, last)]
