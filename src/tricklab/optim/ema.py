"""Exponential moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.optim.averaging import Averaging
from tricklab.optim.clock import RunLength
from tricklab.registry import component


@component("averaging", source="Polyak & Juditsky 1992; timm ModelEmaV3", given=("model", "clock"))
class Ema(Averaging):
    """Average the weights exponentially: average = decay * average + (1 - decay) * weights after every step.

    Floating-point buffers (running statistics) are averaged as timm does, integer buffers copied.

    Args:
        decay: share of the average that a step keeps.
        warmup: use min(decay, (1 + t) / (10 + t)) at update t (TensorFlow's rule), so that the initial weights are
            forgotten even in a short run: without it their share after t updates is decay^t.
    """

    def __init__(self, decay: float = 0.999, warmup: bool = True, *, model: nn.Module, clock: RunLength) -> None:
        if not 0 < decay < 1:
            raise UserError(f"must lie between 0 and 1, not {decay}", where="Ema.decay", fix="say 0.999")
        self.decay, self.warmup = decay, warmup
        self._log_share = 0.0
        super().__init__(model, clock)

    def update(self, model: nn.Module) -> None:
        decay = self.decay_at(self.updates)
        means, now = self._pairs(model)
        torch._foreach_lerp_(means, now, 1 - decay)
        self._log_share += math.log(decay)
        self.steps += 1
        self.updates += 1

    def decay_at(self, update: int) -> float:
        """Decay of the 0-based update."""
        return min(self.decay, (1 + update) / (10 + update)) if self.warmup else self.decay

    def initial_share(self) -> float:
        return math.exp(self._log_share)

    def final_initial_share(self) -> float:
        """Weight that the initial weights will have at the end of the run."""
        return math.exp(sum(math.log(self.decay_at(update)) for update in range(self.clock.total_steps)))

    def averaged_names(self, model: nn.Module, state: Mapping[str, torch.Tensor]) -> list[str]:
        return [name for name, tensor in state.items() if tensor.is_floating_point()]

    def needs_statistics_update(self, model: nn.Module) -> bool:
        return False

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "log_share": self._log_share}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._log_share = state["log_share"]
