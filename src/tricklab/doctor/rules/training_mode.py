"""S01 and S02: evaluation that is not evaluation: dropout still on, or two passes that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class TrainingModeInEvaluation(Rule):
    """Some module was in training mode while the model was evaluated."""

    id: ClassVar[str] = "S12"
    phases: ClassVar[tuple[Phase, ...]] = ("evaluation",)

    def check(self, evidence: Evidence) -> Finding | None:
        left = evidence.fact("evaluate/training_modules")
        if not left:
            return None
        return Finding(
            self.id,
            "error",
            f"{len(left)} modules were in training mode during evaluation: {', '.join(map(str, left[:5]))}",
            {"modules": list(left)},
            ("model.eval() was not called", "a module overrides train() or forces training=True in forward"),
            "call model.eval() and evaluate the same weights again: with dropout .4 the difference is up to 1 point",
        )


class EvaluationRepeats(Rule):
    """The same weights evaluated twice give other outputs (difference above ``tolerance``)."""

    id: ClassVar[str] = "S02"
    phases: ClassVar[tuple[Phase, ...]] = ("evaluation",)

    def __init__(self, tolerance: float = 1e-6) -> None:
        self.tolerance = tolerance

    def check(self, evidence: Evidence) -> Finding | None:
        difference = evidence.fact("evaluate/repeat_difference")
        if difference is None or difference <= self.tolerance:
            return None
        return Finding(
            self.id,
            "error",
            f"the same weights evaluated twice on the same pixels differ by up to {difference:.3g}",
            {"difference": difference},
            (
                "dropout or batch statistics in training mode",
                "a random transform in evaluation",
                "unordered reductions",
            ),
            "evaluate once more with every module in eval mode and one thread",
        )
