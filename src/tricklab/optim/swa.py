"""Stochastic weight averaging."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.optim.averaging import Averaging, parameter_names
from tricklab.optim.clock import RunLength
from tricklab.optim.cycles import cycles_of
from tricklab.optim.statistics_update import has_running_statistics
from tricklab.registry import component


@component("averaging", source="Izmailov et al., UAI 2018", given=("model", "clock"))
class Swa(Averaging):
    """Average the weights evenly over the last part of the run.

    Buffers are the model's latest; running statistics of batch normalisation do not fit averaged weights, so
    ``needs_statistics_update`` says when to re-estimate them. Until the first weights are collected the average is the
    initial weights (``updates`` is 0).

    Args:
        start: share of the run after which weights are collected.
        every: epochs between two collected weights; 1 collects at the end of each epoch.
        cycles: collect at the lowest points of so many equal cycles from ``start`` to the end instead, as the schedule
            ``EqualCycles`` of shape ``linear`` has them.
    """

    def __init__(
        self,
        start: float = 0.75,
        every: float = 1.0,
        cycles: int | None = None,
        *,
        model: nn.Module,
        clock: RunLength,
    ) -> None:
        if not 0 <= start < 1:
            raise UserError(f"must lie in [0, 1), not {start}", where="Swa.start")
        if not every > 0:
            raise UserError(f"must be above zero, not {every}", where="Swa.every")
        if cycles is not None and every != 1.0:
            raise UserError("every and cycles are both given", where="averaging, Swa", fix="give one of them")
        self.lows: frozenset[int] | None = None
        if cycles is not None:
            self.lows = frozenset(one.low for one in cycles_of(cycles, start, "linear", clock, "averaging, Swa"))
        self.period = max(1, round(every * clock.steps_per_epoch))
        self.first = start * clock.total_steps
        if not self.collected(clock.total_steps):
            raise UserError(
                f"no weights would be collected in {clock.total_steps} steps",
                where="averaging, Swa",
                fix="start earlier, collect more often, or train longer",
            )
        super().__init__(model, clock)

    def collected(self, steps: int) -> int:
        """How many weights are collected in the first ``steps`` steps."""
        return sum(self._collects(step) for step in range(1, steps + 1))

    def update(self, model: nn.Module, moved: bool = True) -> None:
        self.steps += 1
        if not self._collects(self.steps):
            return
        means, now = self._pairs(model)
        torch._foreach_lerp_(means, now, 1 / (self.updates + 1))
        self.updates += 1

    def _collects(self, step: int) -> bool:
        if self.lows is not None:
            return step in self.lows
        return step % self.period == 0 and step > self.first

    def initial_share(self) -> float:
        return 0.0 if self.updates else 1.0

    def averaged_names(self, model: nn.Module, state: Mapping[str, torch.Tensor]) -> list[str]:
        parameters = parameter_names(model)
        return [name for name, tensor in state.items() if tensor.is_floating_point() and name in parameters]

    def needs_statistics_update(self, model: nn.Module) -> bool:
        return has_running_statistics(model)
