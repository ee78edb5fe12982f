"""The complete blocks of an experiment as one array, failed runs taken as the worst observed value."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tricklab.errors import UserError

Cells = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class Table:
    """Complete blocks, in the metric's own direction.

    scores: (n, C) float64, failed runs replaced. failed: (n, C) bool. blocks: (n,) indices of the blocks used. dead:
    cells that failed in every block, with the reason; they are not among `cells`. trainings: (C,) the cell whose
    training each cell scores, mostly itself.
    """

    cells: tuple[str, ...]
    scores: NDArray[np.float64]
    failed: NDArray[np.bool_]
    blocks: tuple[int, ...]
    dead: dict[str, str]
    trainings: tuple[str, ...]

    def column(self, cell: str) -> int:
        return self.cells.index(cell)

    def training(self, cell: str) -> str:
        return self.trainings[self.column(cell)]


def complete_blocks(
    cells: Cells,
    failed: Mapping[str, Sequence[bool]] | None,
    used: Collection[str],
    *,
    highest_is_worst: bool,
    most: int | None = None,
    trainings: Mapping[str, str] | None = None,
) -> Table:
    """The first `most` blocks in which every one of the `used` cells has a score or failed.

    A score that is not finite is a failure. A failed run stands as the worst value that any used cell reached in these
    blocks; a cell that failed in all of them has no value and is `dead`.
    """
    names = [name for name in cells if name in used]
    values, lost = _arrays(cells, failed, names)
    dead: dict[str, str] = {}
    while True:
        alive = [position for position, name in enumerate(names) if name not in dead]
        ready = np.flatnonzero((np.isfinite(values) | lost)[alive].all(axis=0)) if alive else np.array([], dtype=int)
        ready = ready[:most]
        fresh = {
            names[p]: f"failed in every block ({len(ready)} of {len(ready)})"
            for p in alive
            if len(ready) and lost[p, ready].all()
        }
        if not fresh:
            break
        dead |= fresh
    scores, gone = values[alive][:, ready], lost[alive][:, ready]
    if gone.any():
        observed = scores[~gone]
        scores = np.where(gone, observed.max() if highest_is_worst else observed.min(), scores)
    kept = tuple(names[position] for position in alive)
    sources = tuple((trainings or {}).get(name, name) for name in kept)
    return Table(kept, scores.T.copy(), gone.T.copy(), tuple(int(block) for block in ready), dead, sources)


def _arrays(
    cells: Cells, failed: Mapping[str, Sequence[bool]] | None, names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores (C, B) with nan where not run, and which runs failed; shorter cells are padded with "not run yet"."""
    failed = failed or {}
    unknown = [name for name in failed if name not in cells]
    if unknown:
        raise UserError(f"failed runs of a cell that does not exist: {unknown[0]!r}", where="failed")
    blocks = max((len(cells[name]) for name in names), default=0)
    values = np.full((len(names), blocks), math.nan)
    lost = np.zeros((len(names), blocks), dtype=bool)
    for row, name in enumerate(names):
        flags = list(failed.get(name, ()))
        if len(flags) > max(blocks, len(cells[name])):
            raise UserError(f"{len(flags)} failure flags for {len(cells[name])} scores", where=f"cell {name!r}")
        lost[row, : len(flags)] = flags
        for block, score in enumerate(cells[name]):
            if score is None:
                continue
            values[row, block] = float(score)
            lost[row, block] |= not math.isfinite(float(score))
    values[lost] = math.nan
    return values, lost
