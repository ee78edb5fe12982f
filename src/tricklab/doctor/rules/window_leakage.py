"""D07: test windows that hold training pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class WindowLeakage(Rule):
    """More than ``share`` of the evaluated windows hold a training centre or touch a training window."""

    id: ClassVar[str] = "D07"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "evaluation")

    def __init__(self, share: float = 0.0) -> None:
        self.share = share

    def check(self, evidence: Evidence) -> Finding | None:
        leakage = evidence.fact("data/leakage") or {}
        centre, touch = leakage.get("centre_share") or 0.0, leakage.get("touch_share") or 0.0
        if max(centre, touch) <= self.share:
            return None
        return Finding(
            self.id,
            "warning",
            f"{centre:.1%} of the test windows hold a training centre, {touch:.1%} touch a training window, "
            f"{leakage.get('covered_share') or 0.0:.1%} of their area is covered",
            dict(leakage),
            ("pixels were drawn at random, so neighbours stand on both sides of the split",),
            "run the same blocks spatially disjoint; on Salinas-A the accuracy falls from 99.9 % to below 80 %",
            ("data.split={type: DisjointBands, train: 0.1}",),
        )
