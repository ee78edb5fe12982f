"""How much a training curve shakes, and how soon it gets low."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def oscillation(loss: Sequence[float] | np.ndarray, window: int | None = None) -> float | None:
    """Standard deviation of the loss around its local straight line.

    Each row is compared with the least-squares line through the ``window`` rows around it (at the ends: through the
    first or last ``window`` rows), so that a falling or bending curve adds nothing and every movement that is shorter
    than the window counts. A residual is divided by sqrt(1 - leverage), which makes the mean square unbiased for
    independent noise.

    Args:
        loss: (n,) one value a row, rows at equal distances.
        window: odd number of rows, at least 3; a tenth of the curve, but at least 5, if not given.

    Returns:
        The root of the residuals' mean square in the loss's unit, or None for fewer rows than the window or a value
        that is not finite.
    """
    values = np.asarray(loss, dtype=np.float64)
    if window is None:
        window = max(5, 2 * (len(values) // 20) + 1)
    if window < 3 or window % 2 == 0:
        raise ValueError(f"the window must be an odd number of rows, at least 3, not {window}")
    if len(values) < window or not np.isfinite(values).all():
        return None
    half = window // 2
    offset = np.arange(-half, half + 1)
    spread = (offset**2).sum()
    # in the middle of its window a least-squares line is at the window's mean: no slope is needed there
    centred = values - values.mean()
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    squares = (centred[half : len(values) - half] - (sums[window:] - sums[:-window]) / window) ** 2 / (1 - 1 / window)
    total = squares.sum()
    for rows, ends in ((values[:window], slice(0, half)), (values[-window:], slice(half + 1, window))):
        residual = rows - rows.mean() - (rows @ offset / spread) * offset
        total += (residual**2 / (1 - 1 / window - offset**2 / spread))[ends].sum()
    return float(np.sqrt(total / len(values)))


def samples_to_loss(
    samples: Sequence[float] | np.ndarray,
    loss: Sequence[float] | np.ndarray,
    thresholds: Sequence[float] = (0.5, 0.1),
    smooth: int = 5,
) -> dict[str, int | None]:
    """Samples seen when the loss first got down to each threshold.

    Args:
        samples: (n,) samples seen at each row, rising.
        loss: (n,) loss at each row.
        thresholds: in the loss's unit.
        smooth: the mean of this many last rows (fewer at the start) must reach the threshold, so that one lucky batch
            does not count.

    Returns:
        ``{"0.5": samples or None}``; None where it was never reached.
    """
    values, seen = np.asarray(loss, dtype=np.float64), np.asarray(samples)
    if len(values) != len(seen):
        raise ValueError(f"{len(seen)} sample counts for {len(values)} losses")
    before = np.concatenate([np.zeros(smooth - 1), values])
    sums = np.lib.stride_tricks.sliding_window_view(before, smooth).sum(axis=1) if len(values) else values
    means = sums / np.minimum(np.arange(len(values)) + 1, smooth)
    reached = {f"{threshold:g}": np.flatnonzero(means <= threshold) for threshold in thresholds}
    return {name: int(seen[found[0]]) if found.size else None for name, found in reached.items()}
