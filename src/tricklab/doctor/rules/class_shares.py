"""D14: classes that have another share of the evaluated items than of the training items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tricklab.doctor.counted import kind_of_data
from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class ClassSharesDiffer(Rule):
    """A class's share differs by more than ``ratio`` between training and evaluation, and by more than chance.

    The unit is what was drawn: the item with one class, and of masks the image, whose pixels are alike.

    Args:
        ratio: of the larger to the smaller share.
        level: probability of such shares under one common distribution, below which it is no chance: chi-squared over
            items; over images Welch's t of each share, times the number of classes.
    """

    id: ClassVar[str] = "D14"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def __init__(self, ratio: float = 2.0, level: float = 1e-3) -> None:
        self.ratio, self.level = ratio, level

    def check(self, evidence: Evidence) -> Finding | None:
        counts, kind = evidence.fact("data/class_counts") or {}, kind_of_data(evidence)
        names = evidence.fact("data/class_names")
        for split in ("val", "test"):
            train, other = np.array(counts.get("train", ())), np.array(counts.get(split, ()))
            if not train.sum() or not other.sum():
                continue
            both = (train > 0) & (other > 0)
            if both.sum() < 2:
                continue
            shares = np.stack([train[both] / train[both].sum(), other[both] / other[both].sum()])
            ratio = shares.max(axis=0) / shares.min(axis=0)
            if kind == "masks":
                chances = _chances_over_images(evidence, split, shares, both)
            else:
                chances = np.full(len(ratio), _chance_over_items(train[both], other[both]))
            ratio = np.where(chances < self.level, ratio, 1.0)
            if ratio.max() <= self.ratio:
                continue
            place = int(ratio.argmax())
            worst, chance = int(np.flatnonzero(both)[place]), float(chances[place])
            name = names[worst] if names else f"class {worst}"
            first, second = train[worst] / train.sum(), other[worst] / other.sum()
            about = "the image is the unit" if kind == "masks" else "the item is the unit"
            cure = ("metric.monitor=val/balanced_accuracy",) if split == "val" and kind == "images" else ()
            return Finding(
                self.id,
                "note",
                f"{name} is {first:.1%} of the training set and {second:.1%} of the {split} set (chance of such a "
                f"difference: {chance:.1g}; {about})",
                {"class": name, "train": first, split: second, "ratio": float(ratio.max()), "p": chance},
                ("the split was drawn without strata", "the sets come from different places or times"),
                "score each class by itself: "
                + (
                    "IoU of a class hardly depends on its share, accuracy of all pixels does"
                    if kind == "masks"
                    else "balanced accuracy does not depend on the shares"
                ),
                cure,
            )
        return None


def _chance_over_items(train: np.ndarray, other: np.ndarray) -> float:
    from scipy.stats import chi2_contingency

    return float(chi2_contingency(np.stack([train, other])).pvalue)


def _chances_over_images(evidence: Evidence, split: str, shares: np.ndarray, both: np.ndarray) -> np.ndarray:
    """For each class that both sets have; 1 where the images are too few to say."""
    from scipy.stats import t

    errors: dict[str, Any] = evidence.fact("data/class_share_errors") or {}
    sizes = evidence.fact("data/sizes") or {}
    if errors.get("train") is None or errors.get(split) is None:
        return np.ones(shares.shape[1])
    variances = np.stack([np.array(errors[name])[both] ** 2 for name in ("train", split)])
    freedom = np.array([[sizes["train"] - 1], [sizes[split] - 1]])
    whole = variances.sum(axis=0)
    known = whole > 0
    safe = np.where(known, whole, 1.0)
    degrees = np.where(known, safe**2 / np.maximum((variances**2 / freedom).sum(axis=0), 1e-300), 1.0)
    found = 2 * t.sf(np.abs(shares[0] - shares[1]) / np.sqrt(safe), degrees)
    # shares without any spread that differ are no chance
    certain = np.where(shares[0] == shares[1], 1.0, 0.0)
    chances: np.ndarray = np.minimum(np.where(known, found, certain) * shares.shape[1], 1.0)
    return chances
