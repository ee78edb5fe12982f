"""D04: classes that are predicted far less, or far more often than they occur."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tricklab.doctor.counted import kind_of_data
from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence

_SHOWN = 6


class ClassCollapse(Rule):
    """A class's share of the predictions is below ``low`` or above ``high`` times its share of the labels.

    Args:
        low, high: bounds of the ratio.
        least: labelled items of a class, below which chance may do it.
    """

    id: ClassVar[str] = "D04"
    phases: ClassVar[tuple[Phase, ...]] = ("evaluation",)

    def __init__(self, low: float = 0.1, high: float = 10.0, least: int = 20) -> None:
        self.low, self.high, self.least = low, high, least

    def check(self, evidence: Evidence) -> Finding | None:
        result = evidence.result or {}
        confusion = np.array(result.get("confusion") or np.zeros((0, 0)))
        truth, said = confusion.sum(axis=1), confusion.sum(axis=0)
        judged = np.flatnonzero(truth >= self.least)
        ratios = {int(k): float(said[k] / truth[k]) for k in judged}
        rare = [k for k in ratios if ratios[k] < self.low]
        often = [k for k in ratios if ratios[k] > self.high]
        if not rare and not often:
            return None
        names = result.get("classes") or [f"class {k}" for k in range(len(truth))]
        parts = []
        if rare:
            never = sum(not said[k] for k in rare)
            parts.append(
                f"{len(rare)} of {len(truth)} classes are predicted less than {self.low:g} times as often as they "
                f"occur, {never} of them never ({_listed(names, rare)})"
            )
        if often:
            parts.append(f"{len(often)} more than {self.high:g} times as often as they occur ({_listed(names, often)})")
        kind = kind_of_data(evidence)
        cure = {"masks": ("+class_weights", "+rare_class_crops"), "images": ("+class_balanced",), "scene": ()}[kind]
        return Finding(
            self.id,
            "warning",
            "; ".join(parts),
            {"ratios": {str(names[k]): ratios[k] for k in (*rare, *often)}},
            (
                "the training was too short for rare classes",
                "the loss is ruled by the common classes",
                "the logits collapsed: learning rate, normalisation, or other weights than were trained",
            ),
            "score the training set too (tricklab test RUN --on train): if the classes are missing there as well, "
            "they were never learned",
            cure,
        )


def _listed(names: list[str], chosen: list[int]) -> str:
    shown = ", ".join(str(names[k]) for k in chosen[:_SHOWN])
    return shown + (", …" if len(chosen) > _SHOWN else "")
