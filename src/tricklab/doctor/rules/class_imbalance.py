"""D02 and D03: classes without items, and classes so rare that overall accuracy cannot see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.counted import kind_of_data
from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class EmptyClass(Rule):
    """A class has no item in a split that is used."""

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
        names = evidence.fact("data/class_names")
        text = "; ".join(
            f"{split}: {', '.join(names[k] if names else f'class {k}' for k in classes)}"
            for split, classes in empty.items()
        )
        return Finding(
            self.id,
            "warning",
            f"classes without {'an image' if kind_of_data(evidence) == 'images' else 'a pixel'} ({text})",
            {"empty": empty},
            ("the split left the class on one side", "the class is too small for the share"),
            "tricklab data split shows it; another block draws another split",
        )


class ClassImbalance(Rule):
    """The rarest training class has less than a tenth of the commonest one's items."""

    id: ClassVar[str] = "D03"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def __init__(self, ratio: float = 10.0) -> None:
        self.ratio = ratio

    def check(self, evidence: Evidence) -> Finding | None:
        row = [count for count in (evidence.fact("data/class_counts") or {}).get("train", []) if count]
        if len(row) < 2 or max(row) / min(row) <= self.ratio:
            return None
        kind = kind_of_data(evidence)
        metric, items, cure = {
            "images": ("balanced_accuracy", "images", "+class_balanced"),
            "masks": ("miou", "pixels", "+class_weights"),
            "scene": ("aa", "pixels", "+class_balanced"),
        }[kind]
        asked = (evidence.recipe.get("metric") or {}).get("monitor") == f"val/{metric}"
        return Finding(
            self.id,
            "note",
            f"the commonest class has {max(row) / min(row):.0f} times the training {items} of the rarest ({min(row)})",
            {"largest": max(row), "smallest": min(row)},
            ("overall accuracy hardly sees rare classes",),
            f"read {'mean IoU' if kind == 'masks' else 'average accuracy'} ({metric}) and the per-class table of "
            "`tricklab test`",
            (cure,) if asked else (f"metric.monitor=val/{metric}", cure),
        )
