"""S09: the validation loss rises while the training loss still falls."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class Overfitting(Rule):
    """Validation loss > 10 % over its minimum at the last three evaluations while the training loss fell.

    Args:
        rise: how far above the minimum, as a share of it.
        evaluations: how many last evaluations must all lie that high.
        noise: how many standard deviations of the evaluations' own noise their mean must lie above the minimum; the
            lowest of many noisy evaluations lies two or three below a curve that does not rise at all.
    """

    id: ClassVar[str] = "S09"
    phases: ClassVar[tuple[Phase, ...]] = ("training", "evaluation")

    def __init__(self, rise: float = 0.1, evaluations: int = 3, noise: float = 4.0) -> None:
        self.rise, self.evaluations, self.noise = rise, evaluations, noise

    def check(self, evidence: Evidence) -> Finding | None:
        for phase in ("val", "test"):
            steps, loss = evidence.series(f"{phase}/loss", phase=phase)
            if len(loss) >= self.evaluations + 1:
                break
        else:
            return None
        low = int(np.argmin(loss))
        if np.any(loss[-self.evaluations :] <= (1 + self.rise) * loss[low]):
            return None
        if loss[-self.evaluations :].mean() - loss[low] <= self.noise * _noise(loss):
            return None
        train_steps, train = evidence.series("loss")
        near_low, near_end = train[train_steps <= steps[low]][-10:], train[-10:]
        if not len(near_low) or near_end.mean() >= near_low.mean():
            return None
        return Finding(
            self.id,
            "warning",
            f"the {phase} loss was lowest ({loss[low]:.4f}) at step {int(steps[low])} and ends at {loss[-1]:.4f}, "
            "while the training loss went on falling",
            {
                "lowest": float(loss[low]),
                "lowest_step": int(steps[low]),
                "last": float(loss[-1]),
                "train_at_lowest": float(near_low.mean()),
                "train_at_end": float(near_end.mean()),
            },
            ("too few training pixels for the model's size", "trained too long", "the model grows over-confident"),
            "compare with +flips +rot90, and with fewer epochs, on the same blocks",
            ("+flips", "+rot90", "+weight_decay(value=1e-4)"),
        )


def _noise(values: np.ndarray) -> float:
    """Robust standard deviation of independent noise on a smooth curve, from its second differences."""
    return float(1.4826 * np.median(np.abs(np.diff(values, n=2))) / np.sqrt(6))
