"""Equal cycles over the rest of a run, whose lowest points give weights to average."""

from __future__ import annotations

from tricklab.errors import UserError
from tricklab.optim.clock import RunLength
from tricklab.optim.cycles import Shape, cycles_of, first_step
from tricklab.optim.schedules.cosine import half_cosine
from tricklab.optim.schedules.schedule import LastPart, check_positive
from tricklab.registry import component


@component("schedule", source="Huang et al., ICLR 2017; Izmailov et al., UAI 2018; Garipov et al., NeurIPS 2018")
class EqualCycles(LastPart):
    """Let the rate fall from high to low again and again, in cycles of equal length up to the end of the run.

    From ``start`` on these rates hold alone, whatever decay the schedule has beside them; a warm-up still multiplies.

    Args:
        cycles: how many.
        start: share of the run after which they begin.
        shape: ``cosine`` (snapshot ensembles: from high, not quite down to low), ``linear`` (SWA: from a step below
            high down to low), ``triangle`` (FGE: down to low and up to high; the last one ends at low).
        high: highest rate as a share of the optimizer's learning rate.
        low: lowest rate, likewise.
    """

    def __init__(
        self, cycles: int, start: float = 0.0, shape: Shape = "cosine", high: float = 1.0, low: float = 0.0
    ) -> None:
        super().__init__()
        check_positive(high, "EqualCycles.high")
        if not 0 <= low < high:
            raise UserError(f"must lie in [0, high), not {low}", where="EqualCycles.low")
        self.cycles, self.start, self.shape, self.high, self.low = cycles, start, shape, high, low

    def takes_over(self, clock: RunLength) -> int:
        return first_step(self.start, clock.total_steps)

    def factor_after(self, before: float, step: int, clock: RunLength) -> float:
        found = cycles_of(self.cycles, self.start, self.shape, clock, "schedule, EqualCycles")
        cycle = next((one for one in found if step < one.end), found[-1])
        done = min(step, cycle.end - 1)
        if self.shape == "cosine":
            return half_cosine((done - cycle.first) / (cycle.low - cycle.first), self.high, self.low)
        if done < cycle.low:
            share = (done - cycle.first + 1) / (cycle.low - cycle.first)
        else:
            share = 1 - (done - cycle.low + 1) / (cycle.end - cycle.low)
        return self.high + (self.low - self.high) * share
