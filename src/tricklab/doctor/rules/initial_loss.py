"""O01: the first loss is not what an untrained model should have."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class InitialLoss(Rule):
    """The first batch's loss differs from its expectation (ln K, class weights and loss weights counted) by > 20 %."""

    id: ClassVar[str] = "O01"
    phases: ClassVar[tuple[Phase, ...]] = ("first_steps",)

    def __init__(self, share: float = 0.2) -> None:
        self.share = share

    def check(self, evidence: Evidence) -> Finding | None:
        first, expected = evidence.fact("loss/initial"), evidence.fact("loss/expected_initial")
        if first is None or not expected:
            return None
        off = abs(first - expected) / abs(expected)
        if off <= self.share:
            return None
        return Finding(
            self.id,
            "warning",
            f"the first loss is {first:.4f}, an untrained model should have {expected:.4f} ({off:.0%} off)",
            {"initial": first, "expected": expected, "off": off},
            (
                "inputs are not normalised, so the first logits are large",
                "softmax is applied twice or not at all",
                "the head has another number of classes than the labels",
            ),
            "print the standard deviation of the first batch and of its logits: both should be near 1 or below",
            ("data.whiten=true",) if not evidence.recipe.get("data", {}).get("whiten", True) else (),
        )
