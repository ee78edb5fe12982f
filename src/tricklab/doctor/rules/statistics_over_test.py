"""D06: normalisation or PCA that has seen the test pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class StatisticsOverTest(Rule):
    """Statistics were fitted on pixels outside the training set."""

    id: ClassVar[str] = "D06"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "evaluation")

    def check(self, evidence: Evidence) -> Finding | None:
        fitted = evidence.fact("data/statistics_fitted_on") or {}
        others = int(fitted.get("other_pixels") or 0)
        if not others:
            return None
        train = int(fitted.get("train_pixels") or 0)
        return Finding(
            self.id,
            "warning",
            f"mean and components were fitted on {others} pixels outside the training set (and {train} inside)",
            {"other_pixels": others, "train_pixels": train},
            ("data.fit_on is 'all', as in the published protocol",),
            "run the same blocks with data.fit_on=train: the difference is what the leak is worth",
            ("data.fit_on=train",),
        )
