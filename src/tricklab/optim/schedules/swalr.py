"""The constant rate under which weights are collected for stochastic weight averaging."""

from __future__ import annotations

from typing import Literal

from tricklab.errors import UserError
from tricklab.optim.clock import RunLength
from tricklab.optim.cycles import first_step
from tricklab.optim.schedules.cosine import half_cosine
from tricklab.optim.schedules.schedule import LastPart, check_positive
from tricklab.registry import component


@component("schedule", source="Izmailov et al., UAI 2018; torch.optim.swa_utils.SWALR")
class SWALR(LastPart):
    """Anneal the rate from where the other schedules left it to a constant one, and keep it.

    From ``start`` on the other schedules stand still, except for a warm-up, which still multiplies.

    Args:
        lr_ratio: the constant rate as a share of the optimizer's learning rate (torch's swa_lr, divided by it).
        start: share of the run after which the annealing begins.
        anneal_epochs: epochs that it takes; 0 leaps.
        anneal_strategy: ``cos`` or ``linear``.
    """

    def __init__(
        self,
        lr_ratio: float,
        start: float = 0.75,
        anneal_epochs: float = 10.0,
        anneal_strategy: Literal["cos", "linear"] = "cos",
    ) -> None:
        super().__init__()
        check_positive(lr_ratio, "SWALR.lr_ratio")
        if not 0 <= start < 1:
            raise UserError(f"must lie in [0, 1), not {start}", where="SWALR.start")
        if anneal_epochs < 0:
            raise UserError(f"must not be negative, not {anneal_epochs}", where="SWALR.anneal_epochs")
        self.lr_ratio, self.start = lr_ratio, start
        self.anneal_epochs, self.anneal_strategy = anneal_epochs, anneal_strategy

    def takes_over(self, clock: RunLength) -> int:
        return first_step(self.start, clock.total_steps)

    def factor_after(self, before: float, step: int, clock: RunLength) -> float:
        length = self.anneal_epochs * clock.steps_per_epoch
        done = step - self.takes_over(clock)
        share = min(done / length, 1.0) if length > 0 else 1.0
        if self.anneal_strategy == "linear":
            return before + (self.lr_ratio - before) * share
        return half_cosine(share, before, self.lr_ratio)
