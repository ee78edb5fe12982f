"""D02 and D03: classes without pixels, and classes so rare that overall accuracy cannot see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class EmptyClass(Rule):
    """A class has no pixel in a split that is used."""

    id: ClassVar[str] = "D02"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def check(self, evidence: Evidence) -> Finding | None:
        counts = evidence.fact("data/class_counts") or {}
        empty = {
            split: [k for k, count in enumerate(row) if not count]
            for split, row in counts.items()
            if sum(row) and not all(row)
        }
        if not empty:
            return None
        text = "; ".join(f"{split}: class {', '.join(map(str, classes))}" for split, classes in empty.items())
        return Finding(
            self.id,
            "warning",
            f"classes without a pixel ({text})",
            {"empty": empty},
            ("a spatial split left the class on one side", "the class is too small for the share"),
            "tricklab data split shows the map; another block draws another split",
        )


class ClassImbalance(Rule):
    """The rarest training class has less than a tenth of the commonest one's pixels."""

    id: ClassVar[str] = "D03"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def __init__(self, ratio: float = 10.0) -> None:
        self.ratio = ratio

    def check(self, evidence: Evidence) -> Finding | None:
        row = [count for count in (evidence.fact("data/class_counts") or {}).get("train", []) if count]
        if len(row) < 2 or max(row) / min(row) <= self.ratio:
            return None
        return Finding(
            self.id,
            "note",
            f"the commonest class has {max(row) / min(row):.0f} times the training pixels of the rarest ({min(row)})",
            {"largest": max(row), "smallest": min(row)},
            ("overall accuracy hardly sees rare classes",),
            "read average accuracy (aa) and the per-class table of `tricklab test`",
            ("metric.monitor=val/aa", "+class_balanced"),
        )
