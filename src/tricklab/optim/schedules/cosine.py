"""Cosine decay without restarts."""

from __future__ import annotations

import math

from tricklab.optim.clock import RunLength, Unit
from tricklab.optim.schedules.schedule import Schedule, check_ratio
from tricklab.registry import component


@component("schedule", source="Loshchilov & Hutter, SGDR, ICLR 2017; torch.optim.lr_scheduler.CosineAnnealingLR")
class Cosine(Schedule):
    """Decay along half a cosine from begin to end.

    Args:
        eta_min_ratio: share of the learning rate at the end.
    """

    def __init__(
        self, eta_min_ratio: float = 0.0, unit: Unit = "epochs", begin: float = 0, end: float | None = None
    ) -> None:
        super().__init__(unit, begin, end)
        check_ratio(eta_min_ratio, "Cosine.eta_min_ratio")
        self.eta_min_ratio = eta_min_ratio

    def factor(self, step: int, clock: RunLength) -> float:
        elapsed, length = self.elapsed(step, clock)
        return half_cosine(elapsed / length, 1.0, self.eta_min_ratio)


def half_cosine(share: float, start: float, end: float) -> float:
    """From ``start`` to ``end`` along half a cosine, ``share`` of the way in [0, 1]."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
