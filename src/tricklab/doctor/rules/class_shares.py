"""D14: classes that have another share of the evaluated items than of the training items."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class ClassSharesDiffer(Rule):
    """A class's share differs by more than ``ratio`` between training and evaluation, and by more than chance.

    Args:
        ratio: of the larger to the smaller share.
        level: probability of such counts under one common distribution (chi-squared), below which it is no chance.
    """

    id: ClassVar[str] = "D14"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def __init__(self, ratio: float = 2.0, level: float = 1e-3) -> None:
        self.ratio, self.level = ratio, level

    def check(self, evidence: Evidence) -> Finding | None:
        from scipy.stats import chi2_contingency

        counts = evidence.fact("data/class_counts") or {}
        names = evidence.fact("data/class_names")
        for split in ("val", "test"):
            train, other = np.array(counts.get("train", ())), np.array(counts.get(split, ()))
            if not train.sum() or not other.sum():
                continue
            both = (train > 0) & (other > 0)
            if both.sum() < 2:
                continue
            shares = train[both] / train[both].sum(), other[both] / other[both].sum()
            ratio = np.maximum(shares[0] / shares[1], shares[1] / shares[0])
            chance = float(chi2_contingency(np.stack([train[both], other[both]])).pvalue)
            if ratio.max() <= self.ratio or chance >= self.level:
                continue
            worst = int(np.flatnonzero(both)[ratio.argmax()])
            name = names[worst] if names else f"class {worst}"
            first, second = train[worst] / train.sum(), other[worst] / other.sum()
            return Finding(
                self.id,
                "note",
                f"{name} is {first:.1%} of the training set and {second:.1%} of the {split} set (chance of such a "
                f"difference: {chance:.1g})",
                {"class": name, "train": first, split: second, "ratio": float(ratio.max()), "p": chance},
                ("the split was drawn without strata", "the sets come from different places or times"),
                "score each class by itself: balanced accuracy does not depend on the shares",
                ("metric.monitor=val/balanced_accuracy",) if split == "val" and names else (),
            )
        return None
