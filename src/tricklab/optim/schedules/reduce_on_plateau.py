"""Drops when a watched number stops getting better."""

from __future__ import annotations

import math
from typing import Any, Literal

from tricklab.errors import UserError
from tricklab.optim.clock import RunLength
from tricklab.optim.schedules.schedule import check_ratio
from tricklab.registry import component


@component("schedule", source="torch.optim.lr_scheduler.ReduceLROnPlateau")
class ReduceOnPlateau:
    """Multiply the learning rate by a factor when a watched number has not improved for a while.

    The only schedule with a state: ``observe`` wants the number after each evaluation.

    Args:
        monitor: name of the number in an evaluation's row, such as ``val/loss``.
        mode: ``min`` or ``max``: which way is better.
        factor: factor at each drop.
        patience: evaluations without improvement that are tolerated; the next one drops.
        threshold: improvement that counts.
        threshold_mode: ``rel``: best * (1 -+ threshold); ``abs``: best -+ threshold.
        cooldown: evaluations after a drop during which nothing is counted.
        min_ratio: share of the learning rate below which it never goes.
    """

    def __init__(
        self,
        monitor: str = "val/loss",
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_ratio: float = 0.0,
    ) -> None:
        if not 0 < factor < 1:
            raise UserError(f"must lie between 0 and 1, not {factor}", where="ReduceOnPlateau.factor")
        if patience < 0 or cooldown < 0 or threshold < 0:
            raise UserError("patience, cooldown and threshold must not be negative", where="ReduceOnPlateau")
        check_ratio(min_ratio, "ReduceOnPlateau.min_ratio")
        self.monitor, self.mode, self.drop, self.patience = monitor, mode, factor, patience
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.cooldown, self.min_ratio = cooldown, min_ratio
        self.current = 1.0
        self.best = math.inf if mode == "min" else -math.inf
        self.bad, self.cooling = 0, 0

    def factor(self, step: int, clock: RunLength) -> float:
        """The factor as it stands; the step does not matter."""
        return self.current

    def momentum(self, step: int, clock: RunLength) -> float | None:
        """Leaves momentum alone."""
        return None

    def observe(self, value: float) -> bool:
        """Take in the number of one evaluation; says whether the rate dropped."""
        if self._better(value):
            self.best, self.bad = value, 0
        else:
            self.bad += 1
        if self.cooling > 0:
            self.cooling, self.bad = self.cooling - 1, 0
        if self.bad <= self.patience:
            return False
        before = self.current
        self.current = max(self.current * self.drop, self.min_ratio)
        self.cooling, self.bad = self.cooldown, 0
        return self.current < before

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers from which ``load_state_dict`` goes on."""
        return {"current": self.current, "best": self.best, "bad": self.bad, "cooling": self.cooling}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.current, self.best = state["current"], state["best"]
        self.bad, self.cooling = state["bad"], state["cooling"]

    def _better(self, value: float) -> bool:
        sign = -1.0 if self.mode == "min" else 1.0
        # the first number is better than none, also relative to an infinite best
        if math.isinf(self.best):
            return sign * value > sign * self.best
        margin = abs(self.best) * self.threshold if self.threshold_mode == "rel" else self.threshold
        return sign * value > sign * self.best + margin
