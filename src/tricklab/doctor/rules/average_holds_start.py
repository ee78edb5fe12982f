"""S05: an average of weights that still holds the initial ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class AverageHoldsStart(Rule):
    """More than 5 % of the averaged weights are still the initial, untrained ones."""

    id: ClassVar[str] = "S05"
    phases: ClassVar[tuple[Phase, ...]] = ("evaluation",)

    def __init__(self, share: float = 0.05) -> None:
        self.share = share

    def check(self, evidence: Evidence) -> Finding | None:
        about = evidence.fact("averaging/distance") or {}
        left, updates = about.get("initial_share"), about.get("updates")
        if left is None or left <= self.share:
            return None
        decay = max(0.5, 1 - 10 / updates) if updates else 0.9
        return Finding(
            self.id,
            "warning",
            f"after {updates} updates the average still holds {left:.0%} of the initial weights",
            {"initial_share": left, "updates": updates},
            ("the decay is too close to 1 for so few steps",),
            "evaluate the raw weights (they are scored beside the averaged ones)",
            (f"evaluate.averaging.decay={decay:.4g}", "evaluate.averaging.warmup=true"),
        )
