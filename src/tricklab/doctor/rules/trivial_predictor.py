"""M01: the headline metric is no better than a predictor that looks at nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class TrivialPredictor(Rule):
    """The headline metric lies within ``points`` of what always answering the commonest class scores."""

    id: ClassVar[str] = "M01"
    phases: ClassVar[tuple[Phase, ...]] = ("evaluation",)

    def __init__(self, points: float = 0.01) -> None:
        self.points = points

    def check(self, evidence: Evidence) -> Finding | None:
        result = evidence.result or {}
        metric, trivial = result.get("metric") or {}, result.get("trivial") or {}
        name, value = metric.get("name"), metric.get("value")
        if value is None or name not in trivial:
            return None
        gain = value - trivial[name] if metric.get("mode", "max") == "max" else trivial[name] - value
        if gain > self.points:
            return None
        return Finding(
            self.id,
            "error",
            f"{name} is {value:.4f}; always answering the commonest class scores {trivial[name]:.4f}",
            {"value": value, "trivial": trivial[name], "gain": gain},
            ("nothing was learned", "the model collapsed to one class", "labels and pixels do not belong together"),
            "look at the confusion matrix: one full column means collapse; then try to overfit one batch",
        )
