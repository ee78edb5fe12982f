"""O19: pixels without a label, and losses that are divided by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class EffectivePixels(Rule):
    """Most training pixels have no label; or some have none and a loss counts them in its divisor.

    Args:
        most: share of training pixels without a label.
        counted: share from which a divisor that counts them matters.
    """

    id: ClassVar[str] = "O19"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def __init__(self, most: float = 0.5, counted: float = 0.05) -> None:
        self.most, self.counted = most, counted

    def check(self, evidence: Evidence) -> Finding | None:
        without = (evidence.fact("data/unlabelled") or {}).get("train")
        labelled = sum((evidence.fact("data/class_counts") or {}).get("train") or ())
        if without is None or not labelled:
            return None
        share = without / (without + labelled)
        losses = evidence.recipe.get("losses") or []
        by_all = [place for place, item in enumerate(losses) if item.get("divisor") == "all"]
        numbers = {"unlabelled": without, "labelled": labelled, "share": share}
        if by_all and share > self.counted:
            return Finding(
                self.id,
                "note",
                f"{share:.1%} of the training pixels have no label, and {losses[by_all[0]]['type']} is divided by all: "
                f"it is {1 - share:.2f} times what it is over the labelled ones, and other in each image",
                numbers,
                ("divisor: all is OpenMMLab's default",),
                "compare with divisor: count on the same blocks; the learning rate is another one in effect",
                tuple(f"losses.{place}.divisor=count" for place in by_all),
            )
        if share <= self.most:
            return None
        return Finding(
            self.id,
            "warning",
            f"{share:.1%} of the training pixels have no label",
            numbers,
            ("a label value stands in data.ignore that is a class", "the annotation covers a part of each image"),
            "look at figures/worst.png: regions without a label are left uncoloured",
        )
