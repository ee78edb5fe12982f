"""D15: too few evaluated items to see the effect that was asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class MetricResolution(Rule):
    """The binomial standard error of the evaluated set at 90 % accuracy exceeds half of the declared delta."""

    id: ClassVar[str] = "D15"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def __init__(self, accuracy: float = 0.9) -> None:
        self.accuracy = accuracy

    def check(self, evidence: Evidence) -> Finding | None:
        metric = evidence.recipe.get("metric") or {}
        delta, monitor = metric.get("delta"), str(metric.get("monitor", ""))
        count = (evidence.fact("data/sizes") or {}).get(monitor.split("/")[0])
        if not delta or not count or not monitor.endswith(("/oa", "/accuracy")):
            return None
        error = math.sqrt(self.accuracy * (1 - self.accuracy) / count)
        if error <= delta / 2:
            return None
        needed = math.ceil(self.accuracy * (1 - self.accuracy) / (delta / 2) ** 2)
        return Finding(
            self.id,
            "note",
            f"{count} evaluated items give a standard error of {error:.4f}, more than half of delta = {delta}",
            {"items": count, "standard_error": error, "delta": delta, "items_needed": needed},
            ("the evaluated set is too small for the effect that was asked for",),
            f"evaluate on at least {needed} items, or declare a larger metric.delta",
        )
