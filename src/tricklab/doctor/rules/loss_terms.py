"""O18: terms of the loss that rule it, or that say next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class LossTerms(Rule):
    """Over the last quarter of the training a term is nearly all or nearly nothing of the total.

    Auxiliary terms, those on outputs named ``aux…``, are there to help: together they should not outweigh the rest.

    Args:
        low, high: bounds of a term's share of the sum of all terms' magnitudes.
        auxiliary: largest share of the auxiliary terms together.
    """

    id: ClassVar[str] = "O18"
    phases: ClassVar[tuple[Phase, ...]] = ("evaluation",)

    def __init__(self, low: float = 0.01, high: float = 0.95, auxiliary: float = 0.5) -> None:
        self.low, self.high, self.auxiliary = low, high, auxiliary

    def check(self, evidence: Evidence) -> Finding | None:
        rows = [row for row in evidence.rows if row.get("phase") == "train"]
        rows = rows[-max(len(rows) // 4, 1) :]
        names = [key for key in (rows[-1] if rows else ()) if key.startswith("loss/") and not key.endswith("_mean")]
        if len(names) < 2:
            return None
        sizes = {
            name.removeprefix("loss/"): float(np.mean([abs(row.get(name, 0.0)) for row in rows])) for name in names
        }
        total = sum(sizes.values())
        if not total or not np.isfinite(total):
            return None
        shares = {name: size / total for name, size in sizes.items()}
        terms = [item for item in evidence.recipe.get("losses") or () if str(item.get("on", "main")).startswith("aux")]
        helping = {str(item.get("name") or f"{item['type']}.{item['on']}") for item in terms} & set(shares)
        helped = sum(shares[name] for name in helping)
        little = [name for name, share in shares.items() if share < self.low]
        ruling = [name for name, share in shares.items() if share > self.high]
        if helped > self.auxiliary:
            title = f"the auxiliary terms are {helped:.0%} of the training loss: {_told(shares)}"
            causes = ("their weight is too large", "the main head learns more slowly than the auxiliary one")
            test = "halve the weight of the auxiliary terms and compare on the same blocks"
        elif little or ruling:
            title = f"{' and '.join(little or ruling)} is {_extent(shares, little or ruling)} of the training loss"
            causes = (
                "the terms have other units, and their weights do not make up for it",
                "a term is learned already",
            )
            test = "leave the small term out: if nothing changes, its weight is too small to matter"
        else:
            return None
        return Finding(self.id, "note", title, {"shares": shares}, causes, test)


def _told(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def _extent(shares: dict[str, float], chosen: list[str]) -> str:
    return ", ".join(f"{shares[name]:.2%}" for name in chosen)
