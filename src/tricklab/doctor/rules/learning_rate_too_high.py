"""O04: the loss went down, then up again, before any decay of the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class LearningRateTooHigh(Rule):
    """Before any decay the loss fell and rose again, leapt away from where it began, or stopped being finite.

    Risen: the smoothed loss lies > 20 % above its minimum for > 2 % of the steps. Leapt: one logged loss is more than
    ``leap`` times the first one.

    Args:
        rise: how far above its minimum, as a share of the fall so far or of the minimum, whichever is larger.
        share: share of the logged steps that must lie that high.
        memory: weight of the past in the exponential average over logged rows.
        leap: how many times the first loss a single one may reach.
    """

    id: ClassVar[str] = "O04"
    phases: ClassVar[tuple[Phase, ...]] = ("training", "evaluation")

    def __init__(self, rise: float = 0.2, share: float = 0.02, memory: float = 0.8, leap: float = 3.0) -> None:
        self.rise, self.share, self.memory, self.leap = rise, share, memory, leap

    def check(self, evidence: Evidence) -> Finding | None:
        steps, loss = evidence.series("loss")
        if len(loss) < 10:
            return None
        _, rate = evidence.series("lr")
        if len(rate) == len(loss):
            decayed = np.flatnonzero(rate < 0.5 * np.maximum.accumulate(rate))
            if decayed.size:
                steps, loss = steps[: decayed[0]], loss[: decayed[0]]
        if len(loss) < 10:
            return None
        bad = ~np.isfinite(loss)
        if bad.any():
            return self._finding(evidence, f"the loss is not finite from step {int(steps[bad.argmax()])}", {})
        # the first row may come late, when the loss is already near zero: the start is the very first batch
        first = max(float(loss[0]), float(evidence.fact("loss/initial") or 0.0))
        if loss.max() > self.leap * first > 0:
            at = int(loss.argmax())
            title = f"the loss leapt from {first:.4g} at the start to {loss[at]:.4g} at step {int(steps[at])}"
            return self._finding(evidence, title, {"first": first, "highest": float(loss[at])})
        smooth = _smoothed(loss, self.memory)
        lowest = np.minimum.accumulate(smooth)
        # noise around a loss near zero is no rise: it must also undo a fifth of what had been gained
        margin = np.maximum(self.rise * lowest, self.rise * (max(first, float(smooth[0])) - lowest))
        high = (smooth > lowest + margin) & (lowest < smooth[0])
        if high.mean() <= self.share or not high.any():
            return None
        worst = int(np.argmax(np.where(high, smooth - lowest, -np.inf)))
        low = int(np.argmin(smooth[: worst + 1]))
        numbers = {
            "lowest": float(smooth[low]),
            "lowest_step": int(steps[low]),
            "highest_after": float(smooth[worst]),
            "highest_step": int(steps[worst]),
            "share_of_steps": float(high.mean()),
        }
        title = (
            f"the loss fell to {smooth[low]:.4g} at step {int(steps[low])} and rose to {smooth[worst]:.4g} "
            f"by step {int(steps[worst])}, before any decay of the learning rate"
        )
        return self._finding(evidence, title, numbers)

    def _finding(self, evidence: Evidence, title: str, numbers: dict[str, float]) -> Finding:
        rate = (evidence.recipe.get("optimizer") or {}).get("lr")
        return Finding(
            self.id,
            "warning",
            title,
            numbers,
            ("the learning rate is too high", "no warm-up with Adam", "a few batches with wrong labels"),
            "run one block with a fifth of the learning rate for a twentieth of the steps",
            (f"optimizer.lr={rate / 5:g}", "+warmup") if isinstance(rate, int | float) else ("+warmup",),
        )


def _smoothed(values: np.ndarray, memory: float) -> np.ndarray:
    """Exponential average that starts at the mean of the first values, so that one early spike sets no scale."""
    from scipy.signal import lfilter

    start = float(np.mean(values[: max(3, len(values) // 50)]))
    found, _ = lfilter([1 - memory], [1, -memory], values, zi=[memory * start])
    return np.asarray(found)
