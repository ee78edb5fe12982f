"""D00: data that training would refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class RefusedData(Rule):
    """The data cannot be made ready as the recipe asks."""

    id: ClassVar[str] = "D00"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def check(self, evidence: Evidence) -> Finding | None:
        why = evidence.fact("data/refused")
        if not why:
            return None
        return Finding(
            self.id,
            "error",
            f"training would stop here: {why}",
            {"why": why},
            ("the files are not as the recipe says", "the recipe forbids what the files hold"),
            "the findings beside this one say what else is wrong",
        )
