"""Evidence of runs on masks with one fault each, and its clean twin."""

from __future__ import annotations

from typing import Any

from tricklab.records import Evidence


def _collapsed(said: int) -> Evidence:
    """Two classes, of which the second is predicted so often."""
    confusion = [[9000, 0], [1000 - said, said]]
    return Evidence(result={"confusion": confusion, "classes": ["road", "pole"]})


def _terms(main: float, aux: float, losses: list[dict[str, Any]] | None = None) -> Evidence:
    rows = [
        {"phase": "train", "step": step, "loss": main + aux, "loss/A.main": main, "loss/A.aux": aux, "loss_mean": 1.0}
        for step in range(8)
    ]
    return Evidence(rows=rows, recipe={"losses": losses or [{"type": "A", "on": "main"}, {"type": "A", "on": "aux"}]})


def _unlabelled(share: float, divisor: str = "weights") -> Evidence:
    facts = {
        "data/unlabelled": {"train": round(1000 * share)},
        "data/class_counts": {"train": [1000 - round(1000 * share)]},
    }
    return Evidence(recipe={"losses": [{"type": "CrossEntropyLoss", "divisor": divisor}]}, facts=facts)


MASK_CASES: dict[str, tuple[Evidence, Evidence]] = {
    "D04": (_collapsed(40), _collapsed(700)),
    "O18": (_terms(1.0, 1.2), _terms(1.0, 0.4)),
    "O19": (_unlabelled(0.2, "all"), _unlabelled(0.2)),
}
