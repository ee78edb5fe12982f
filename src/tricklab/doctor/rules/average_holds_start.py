"""S05: an average of weights that still holds the initial ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule
from tricklab.doctor.rules.schedule_beyond_run import run_length
from tricklab.statistics.exponential_average import half_life, initial_share, updates_until

if TYPE_CHECKING:
    from tricklab.records import Evidence


class AverageHoldsStart(Rule):
    """More than 5 % of the averaged weights are, or will be at the end, the initial ones.

    Before a training it is computed from the decay and the number of steps, afterwards it is what the average says.
    """

    id: ClassVar[str] = "S05"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "evaluation")

    def __init__(self, share: float = 0.05) -> None:
        self.share = share

    def check(self, evidence: Evidence) -> Finding | None:
        about = evidence.fact("averaging/distance") or {}
        if about.get("initial_share") is not None:
            return self._found(evidence, float(about["initial_share"]), int(about["updates"]), "holds")
        averaging = (evidence.recipe.get("evaluate") or {}).get("averaging") or {}
        steps = run_length(evidence, "iterations")
        if averaging.get("type") != "Ema" or steps is None:
            return None
        updates = int(steps) // int(averaging.get("every") or 1)
        share = initial_share(updates, float(averaging["decay"]), bool(averaging["warmup"]))
        return self._found(evidence, share, updates, "will hold")

    def _found(self, evidence: Evidence, left: float, updates: int, verb: str) -> Finding | None:
        if left <= self.share:
            return None
        model = evidence.recipe.get("model") or {}
        averaging = (evidence.recipe.get("evaluate") or {}).get("averaging") or {}
        numbers: dict[str, float] = {"initial_share": left, "updates": updates}
        needed = ""
        if averaging.get("type") == "Ema":
            decay = float(averaging["decay"])
            until = updates_until(self.share, decay, bool(averaging["warmup"]))
            numbers |= {"half_life": half_life(decay), f"updates_until_{self.share:g}": until}
            needed = f" until about update {until:,}"
        if model.get("pretrained") or model.get("weights"):
            meaning = (
                f"they are pre-trained, so it looks fine while it lacks {left:.0%} of what this training learns and "
                f"mixes a new classifier with its random start{needed}"
            )
        else:
            meaning = f"they are random, so it is useless{needed}"
        decay = max(0.5, 1 - 10 / updates) if updates else 0.9
        return Finding(
            self.id,
            "warning",
            f"after {updates:,} updates the average {verb} {left:.0%} of the initial weights; {meaning}",
            numbers,
            ("the decay is too close to 1 for so few steps",),
            "evaluate the raw weights (they are scored beside the averaged ones)",
            (f"evaluate.averaging.decay={decay:.4g}", "evaluate.averaging.warmup=true"),
        )
