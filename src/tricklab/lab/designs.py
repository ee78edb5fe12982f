"""Designs: which sets of arms (cells) are run, and what they and their folders are called."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tricklab.errors import UserError, nearest
from tricklab.lab.arms import BASELINE, Arm
from tricklab.statistics import design_cells

DESIGNS = ("add-one", "leave-one-out", "both", "full")
LARGEST_BOTH = 6
# what else stands in an experiment's folder
_RESERVED = (
    "lock", "plan.json", "looks.jsonl",
    "report.html", "report.md", "report.csv", "report.json", "report-runs.csv", "report-classes.csv",
)  # fmt: skip

Cell = tuple[str, ...]


def default_design(arms: Sequence[Arm]) -> str:
    """``both`` for two to six arms of one level each, else ``add-one``.

    >>> from tricklab.lab.arms import parse_recipe_arms
    >>> default_design(parse_recipe_arms(["+se", "+ema"])), default_design(parse_recipe_arms(["+se"]))
    ('both', 'add-one')
    """
    single = len({arm.factor for arm in arms}) == len(arms)
    return "both" if 2 <= len(arms) <= LARGEST_BOTH and single else "add-one"


def factors_of(arms: Sequence[Arm]) -> list[tuple[str, ...]]:
    """Arm names by factor: arms of one factor exclude each other."""
    return [
        tuple(arm.name for arm in arms if arm.factor == factor) for factor in dict.fromkeys(arm.factor for arm in arms)
    ]


def cells_of(design: str, arms: Sequence[Arm]) -> list[Cell]:
    """The cells of a design, each a tuple of arm names; the baseline ``()`` stands first.

    >>> from tricklab.lab.arms import parse_recipe_arms
    >>> cells_of("both", parse_recipe_arms(["+a", "+b", "+c"]))[-3:]
    [('+b', '+c'), ('+a', '+c'), ('+a', '+b')]
    """
    if design not in DESIGNS:
        raise UserError(f"unknown design {design!r}", where="--design", fix=nearest(design, DESIGNS))
    cells: list[Cell] = list(design_cells(design, factors_of(arms)))
    names = [cell_name(cell) for cell in cells]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise UserError(f"two cells would both be called {double!r}", where="the arms", fix="name an arm without ' & '")
    return cells


def cell_name(cell: Cell) -> str:
    """What a cell is called in tables: ``baseline``, or its arms joined by `` & ``."""
    return " & ".join(cell) or BASELINE


def folder_names(cells: Sequence[Cell]) -> list[str]:
    """A folder name for each cell: readable, distinct, needs no quotes in a shell.

    >>> folder_names([(), ("+se",), ("+se", "+step_decay(at=[41, 76])")])
    ['baseline', '+se', '+se_and_+step_decay-at=41,76']
    """
    taken = dict.fromkeys(_RESERVED, 1)
    names = []
    for cell in cells:
        name = "_and_".join(_plain(arm) for arm in cell)[:100].strip("._-") or (BASELINE if not cell else "cell")
        taken[name.lower()] = count = taken.get(name.lower(), 0) + 1
        names.append(name if count == 1 else f"{name}~{count}")
    return names


def _plain(arm: str) -> str:
    tight = re.sub(r"[\[\]{})'\"]", "", re.sub(r"([,:])\s+", r"\1", arm)).replace("(", "-")
    return re.sub(r"[^\w+=.,@-]+", "_", tight)
