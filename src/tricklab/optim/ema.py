"""Exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.optim.averaging import Averaging
from tricklab.optim.clock import RunLength
from tricklab.registry import component
from tricklab.statistics.exponential_average import decay_at, initial_share


@component("averaging", source="Polyak & Juditsky 1992; timm ModelEmaV3", given=("model", "clock"))
class Ema(Averaging):
    """Average the weights exponentially: average = decay * average + (1 - decay) * weights at every update.

    Floating-point buffers (running statistics) are averaged as timm does, integer buffers copied. A step that loss
    scaling skipped moved no weights and is no update.

    Args:
        decay: share of the average that an update keeps.
        warmup: use min(decay, (1 + t) / (10 + t)) at update t (TensorFlow's rule), so that the initial weights are
            forgotten even in a short run: without it their share after t updates is decay^t.
        every: steps from one update to the next. The decay is that of an update: decay 0.99 with every 10 forgets
            about as fast as 0.999 with every 1.
    """

    def __init__(
        self, decay: float = 0.999, warmup: bool = True, every: int = 1, *, model: nn.Module, clock: RunLength
    ) -> None:
        if not 0 < decay < 1:
            raise UserError(f"must lie between 0 and 1, not {decay}", where="Ema.decay", fix="say 0.999")
        if not 1 <= every <= clock.total_steps:
            raise UserError(
                f"must lie between 1 and the run's {clock.total_steps} steps, not {every}", where="Ema.every"
            )
        self.decay, self.warmup, self.every = decay, warmup, every
        super().__init__(model, clock)

    def update(self, model: nn.Module, moved: bool = True) -> None:
        if not moved:
            return
        self.steps += 1
        if self.steps % self.every:
            return
        means, now = self._pairs(model)
        torch._foreach_lerp_(means, now, 1 - self.decay_at(self.updates))
        self.updates += 1

    def decay_at(self, update: int) -> float:
        """Decay of the 0-based update."""
        return decay_at(update, self.decay, self.warmup)

    def initial_share(self) -> float:
        return initial_share(self.updates, self.decay, self.warmup)

    def final_initial_share(self) -> float:
        """Weight that the initial weights will have at the end of the run, if loss scaling skips no step."""
        return initial_share(self.clock.total_steps // self.every, self.decay, self.warmup)

    def averaged_names(self, model: nn.Module, state: Mapping[str, torch.Tensor]) -> list[str]:
        return [name for name, tensor in state.items() if tensor.is_floating_point()]

    def needs_statistics_update(self, model: nn.Module) -> bool:
        return False
