"""O07: a sudden gain that coincides with a drop of the learning rate belongs to the schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class GainAtDecay(Rule):
    """Within one epoch of a decay the loss falls by > 5 % more than its own trend before the decay would give.

    Args:
        drop: the fall, as a share of the loss before.
        factor: a decay is a learning rate below this share of the one before.
    """

    id: ClassVar[str] = "O07"
    phases: ClassVar[tuple[Phase, ...]] = ("evaluation",)

    def __init__(self, drop: float = 0.05, factor: float = 0.7) -> None:
        self.drop, self.factor = drop, factor

    def check(self, evidence: Evidence) -> Finding | None:
        steps, loss = evidence.series("loss")
        _, rate = evidence.series("lr")
        _, epochs = evidence.series("epoch")
        if len(loss) < 12 or len(rate) != len(loss) or len(epochs) != len(loss):
            return None
        best: tuple[float, int] | None = None
        for at in (np.flatnonzero(rate[1:] < self.factor * rate[:-1]) + 1).tolist():
            before = loss[(epochs < epochs[at]) & (epochs >= epochs[at] - 2)]
            after = loss[(epochs >= epochs[at]) & (epochs <= epochs[at] + 1)]
            if len(before) < 4 or len(after) < 2 or not np.isfinite(np.concatenate([before, after])).all():
                continue
            half = len(before) // 2
            early, late = before[:half].mean(), before[half:].mean()
            trend = min(max(late / early, 0.0), 1.0) if early > 0 else 1.0
            fall = 1 - after.mean() / (late * trend) if late * trend > 0 else 0.0
            noise = before.std(ddof=1) / max(late, 1e-12) / np.sqrt(len(after))
            if fall > self.drop and fall > 2 * noise and (best is None or fall > best[0]):
                best = (float(fall), int(at))
        if best is None:
            return None
        fall, at = best
        return Finding(
            self.id,
            "note",
            f"the loss fell by {fall:.0%} beyond its trend in the epoch after the learning rate went from "
            f"{rate[at - 1]:.2g} to {rate[at]:.2g} at step {int(steps[at])}",
            {"fall": fall, "step": int(steps[at]), "lr_before": float(rate[at - 1]), "lr_after": float(rate[at])},
            ("the gain belongs to the schedule, not to another trick of the recipe",),
            "judge the other tricks at the same schedule: tricklab ablate … --design both",
        )
