"""D15: too few evaluated items to see the effect that was asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class MetricResolution(Rule):
    """The standard error of the evaluated set exceeds half of the declared delta.

    Of accuracies it is the binomial one at 90 %, before anything is trained; of masks that over the images that were
    scored, where the evaluation has found it.
    """

    id: ClassVar[str] = "D15"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "evaluation")

    def __init__(self, accuracy: float = 0.9) -> None:
        self.accuracy = accuracy

    def check(self, evidence: Evidence) -> Finding | None:
        metric = evidence.recipe.get("metric") or {}
        delta, monitor = metric.get("delta"), str(metric.get("monitor", ""))
        count = (evidence.fact("data/sizes") or {}).get(monitor.split("/")[0])
        if not delta or not count:
            return None
        error = (evidence.fact("evaluate/standard_errors") or {}).get(monitor.partition("/")[2])
        if error is None and monitor.endswith(("/oa", "/accuracy")):
            error = math.sqrt(self.accuracy * (1 - self.accuracy) / count)
        # nan: one image has no error
        if error is None or not error > delta / 2:
            return None
        needed = math.ceil(count * (error / (delta / 2)) ** 2)
        return Finding(
            self.id,
            "note",
            f"{count} evaluated items give a standard error of {error:.4f}, more than half of delta = {delta}",
            {"items": count, "standard_error": error, "delta": delta, "items_needed": needed},
            ("the evaluated set is too small for the effect that was asked for",),
            f"evaluate on at least {needed} items, or declare a larger metric.delta",
        )
