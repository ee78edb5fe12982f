"""Learning curves of runs: read from rows, put on one axis, averaged over blocks, subtracted within blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = tuple[NDArray[np.float64], NDArray[np.float64]]

AXES = {
    "samples": ("samples_seen", "samples seen"),
    "epochs": ("epoch", "epochs"),
    "wall": ("wall_s", "wall-clock seconds"),
}
MOST_POINTS = 160


@dataclass(frozen=True)
class Curve:
    """A named mean line with the lines of its single runs and, if there is one, a band around it."""

    name: str
    slot: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    runs: list[Points] = field(default_factory=list)
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None


def points(rows: Sequence[Mapping[str, Any]], key: str, phase: str, axis: str) -> Points:
    """The values of ``key`` in rows of ``phase`` against ``axis`` (a key of ``AXES``), x increasing, finite, float64.

    Of rows with the same x the last counts (a run that was resumed may have written a row twice).
    """
    column = AXES[axis][0]
    found: dict[float, float] = {}
    for row in rows:
        if row.get("phase") != phase:
            continue
        x, y = row.get(column), row.get(key)
        if isinstance(x, int | float) and isinstance(y, int | float) and np.isfinite(x) and np.isfinite(y):
            found[float(x)] = float(y)
    xs = np.array(sorted(found), dtype=np.float64)
    return xs, np.array([found[x] for x in xs], dtype=np.float64)


def grid(lines: Sequence[Points]) -> NDArray[np.float64]:
    """The x values that all ``lines`` cover: their own where they agree, else evenly spaced; else none."""
    lines = [line for line in lines if len(line[0])]
    if not lines:
        return np.empty(0)
    first = lines[0][0]
    if all(len(x) == len(first) and np.allclose(x, first) for x, _ in lines):
        return first
    low, high = max(x[0] for x, _ in lines), min(x[-1] for x, _ in lines)
    if high <= low:
        return np.empty(0)
    return np.linspace(low, high, min(MOST_POINTS, max(len(x) for x, _ in lines)))


def on_grid(lines: Sequence[Points], xs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lines interpolated at ``xs``: (lines, len(xs))."""
    return np.stack([np.interp(xs, x, y) for x, y in lines]) if lines else np.empty((0, len(xs)))


def thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> Points:
    """At most ``MOST_POINTS`` of the points, the first and the last among them."""
    if len(x) <= MOST_POINTS:
        return x, y
    keep = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(np.int64))
    return x[keep], y[keep]


def average(name: str, slot: int, finished: Sequence[Points], broken: Sequence[Points] = ()) -> Curve | None:
    """The mean over ``finished`` lines; lines of ``broken`` (failed) runs are drawn but never averaged.

    A mean over whichever runs are still alive would jump when one dies, so it ends where the shortest line ends.
    """
    finished = [line for line in finished if len(line[0]) > 1]
    broken = [line for line in broken if len(line[0]) > 1]
    if not finished and not broken:
        return None
    xs = grid(finished)
    ys = on_grid(finished, xs).mean(axis=0) if finished and len(xs) else np.empty(0)
    xs = xs if len(ys) else np.empty(0)
    return Curve(name, slot, *thinned(xs, ys), runs=[thinned(*line) for line in [*finished, *broken]])


def difference(name: str, slot: int, blocks: Sequence[Sequence[tuple[Points, Points]]], level: float) -> Curve | None:
    """Trick minus reference along training: mean over blocks with a pointwise t interval at ``level``.

    ``blocks`` holds, per block, the (with, without) pairs of lines; several pairs of one block are averaged first,
    as the verdict does. Below three blocks there is no band.
    """
    from scipy import stats

    lines = [line for pairs in blocks for pair in pairs for line in pair]
    if not lines or any(len(line[0]) < 2 for line in lines):
        return None
    xs = grid(lines)
    if len(xs) < 2:
        return None
    per_block = np.stack(
        [
            np.mean([np.interp(xs, *with_) - np.interp(xs, *without) for with_, without in pairs], axis=0)
            for pairs in blocks
        ]
    )
    runs = [thinned(xs, line) for line in per_block]
    x, mean = thinned(xs, per_block.mean(axis=0))
    if len(per_block) < 3:
        return Curve(name, slot, x, mean, runs)
    error = per_block.std(axis=0, ddof=1) / np.sqrt(len(per_block))
    half = thinned(xs, error * float(stats.t.ppf(0.5 + level / 2, len(per_block) - 1)))[1]
    return Curve(name, slot, x, mean, runs, mean - half, mean + half)
