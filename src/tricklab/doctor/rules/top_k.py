"""M09: top-5 accuracy with few classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class TopKSaysLittle(Rule):
    """The declared metric is top-k accuracy, and guessing is right in ``chance`` of the cases or more."""

    id: ClassVar[str] = "M09"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def __init__(self, chance: float = 0.4) -> None:
        self.chance = chance

    def check(self, evidence: Evidence) -> Finding | None:
        monitor = str((evidence.recipe.get("metric") or {}).get("monitor", "")).split("/")[-1]
        classes = len(evidence.fact("data/class_names") or ())
        k = monitor.removeprefix("top")
        if not (monitor.startswith("top") and k.isdecimal()) or not classes or int(k) / classes < self.chance:
            return None
        return Finding(
            self.id,
            "warning",
            f"{monitor} with {classes} classes: guessing is right in {min(1.0, int(k) / classes):.0%} of the cases",
            {"k": int(k), "classes": classes, "chance": min(1.0, int(k) / classes)},
            ("the metric was made for 1000 classes",),
            "look at accuracy, macro F1 and the confusion matrix",
            ("metric.monitor=val/macro_f1",),
        )
