"""From a design to what is estimated: cells to run, and one contrast over cells for each trick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from tricklab.errors import UserError

Design = Literal["add-one", "leave-one-out", "both", "full"]
DESIGNS: tuple[Design, ...] = ("add-one", "leave-one-out", "both", "full")
MOST_FACTORS_FULL = 10


@dataclass(frozen=True)
class Contrast:
    """What is estimated for one trick: a weighted sum of cells; weights sum to zero and are positive where it is on.

    kind: add-one, leave-one-out, both, or main-effect. interaction_weights: half the difference between the effect in
    company (leave-one-out) and alone (add-one), where the design has both. pairs: (with, without) cells that differ in
    this trick alone; steadiness is judged on them. With one positive and one negative weight they need not be given.
    """

    name: str
    kind: str
    weights: Mapping[str, float]
    interaction_weights: Mapping[str, float] | None = None
    pairs: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for weights in (self.weights, self.interaction_weights):
            if weights is not None and abs(sum(weights.values())) > 1e-9:
                raise UserError("the weights of a contrast must sum to zero", where=f"contrast {self.name!r}")
        touched = {cell: weight for cell, weight in self.weights.items() if weight != 0}
        if not touched:
            raise UserError("the trick changes no cell of this design", where=f"contrast {self.name!r}")
        if not self.pairs and len(touched) == 2:
            object.__setattr__(
                self, "pairs", ((max(touched, key=touched.__getitem__), min(touched, key=touched.__getitem__)),)
            )

    @property
    def cells(self) -> tuple[str, ...]:
        """Every cell that the contrast, its interaction or its pairs look at."""
        weighed = [cell for cell, weight in self.weights.items() if weight != 0]
        crossed = [cell for cell, weight in (self.interaction_weights or {}).items() if weight != 0]
        paired = [cell for pair in self.pairs for cell in pair]
        return tuple(dict.fromkeys([*weighed, *crossed, *paired]))


Factor = str | Sequence[str]
"""One trick, or the alternative levels of one factor (of which at most one is on)."""


def design_cells(design: str, tricks: Sequence[Factor]) -> list[tuple[str, ...]]:
    """The cells that a design needs, each as the tuple of tricks that are on; the baseline () stands first.

    >>> design_cells("both", ["se", "decay", "tta"])[:3]
    [(), ('se',), ('decay',)]
    """
    factors = _factors(design, tricks)
    if design == "full":
        if len(factors) > MOST_FACTORS_FULL:
            raise UserError(
                f"a full factorial of {len(factors)} tricks has {2 ** len(factors)} cells",
                fix=f"name at most {MOST_FACTORS_FULL} tricks, or use --design both",
            )
        cells = [
            tuple(level for level in levels if level) for levels in product(*[("", *levels) for levels in factors])
        ]
        return sorted(cells, key=len)
    singles = [(level,) for levels in factors for level in levels]
    everything = tuple(levels[0] for levels in factors)
    without = [tuple(other for other in everything if other != trick) for trick in everything]
    wanted = {
        "add-one": [(), *singles],
        "leave-one-out": [(), everything, *without],
        "both": [(), *singles, everything, *without],
    }[design]
    return list(dict.fromkeys(wanted))


def contrasts_for(
    design: str, tricks: Sequence[Factor], cell_names: Mapping[frozenset[str], str] | None = None
) -> tuple[Contrast, ...]:
    """One contrast per trick (per level of a factor).

    add-one: trick alone − baseline. leave-one-out: all − all but the trick. both: the mean of the two, which is the
    trick's Shapley value when interactions are at most pairwise. full: its main effect, the mean over all settings of
    the other factors.

    cell_names: the cell in which exactly that set of tricks is on; two sets may name the same cell (the same fit
    identity). Without it cells are called as `default_cell_name` says.
    """
    factors = _factors(design, tricks)
    sets = [frozenset(cell) for cell in design_cells(design, tricks)]
    if cell_names is None:
        cell_names = {frozenset(cell): default_cell_name(cell) for cell in design_cells(design, tricks)}
    missing = [cell for cell in sets if cell not in cell_names]
    if missing:
        raise UserError(
            f"design {design} needs a cell with exactly {sorted(missing[0]) or 'no tricks'}", where="cell_names"
        )
    on_in = dict(cell_names)
    everything = frozenset(levels[0] for levels in factors)
    crossed = len(factors) > 1 and all(len(levels) == 1 for levels in factors)
    result = []
    for trick in (level for levels in factors for level in levels):
        alone, kept = frozenset({trick}), everything
        with_trick = {
            "add-one": [alone],
            "leave-one-out": [kept],
            "both": [alone, kept],
            "full": [cell for cell in sets if trick in cell],
        }[design]
        pairs = {cell: (on_in[cell], on_in[cell - {trick}]) for cell in with_trick}
        weights = _weights([(pairs[cell], 1.0 / len(with_trick)) for cell in with_trick])
        interaction = None
        if design in ("both", "full") and crossed:
            interaction = _weights([(pairs[kept], 0.5), (pairs[alone], -0.5)])
        kind = "main-effect" if design == "full" else design
        result.append(Contrast(trick, kind, weights, interaction, tuple(dict.fromkeys(pairs.values()))))
    return tuple(result)


def default_cell_name(cell: Sequence[str]) -> str:
    """`baseline`, `+se`, `+se+decay`."""
    return "".join(f"+{trick}" for trick in cell) or "baseline"


def _weights(pairs: Sequence[tuple[tuple[str, str], float]]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for (on, off), weight in pairs:
        weights[on] = weights.get(on, 0.0) + weight
        weights[off] = weights.get(off, 0.0) - weight
    return weights


def _factors(design: str, tricks: Sequence[Factor]) -> list[tuple[str, ...]]:
    if design not in DESIGNS:
        raise UserError(f"unknown design {design!r}", fix=f"one of {', '.join(DESIGNS)}")
    factors = [(factor,) if isinstance(factor, str) else tuple(factor) for factor in tricks]
    names = [level for levels in factors for level in levels]
    if not names or not all(names):
        raise UserError("a design needs at least one trick", where=f"design {design}")
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise UserError(f"trick {double!r} is named twice", where=f"design {design}")
    if design in ("leave-one-out", "both") and any(len(levels) != 1 for levels in factors):
        raise UserError(
            f"design {design} turns all tricks on at once, which alternative levels of one factor do not allow",
            fix="use --design add-one or full",
        )
    return factors
