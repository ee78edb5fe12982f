"""The hybrid blocked model: one error variance for all cells that deserve it, an own paired t for the rest.

Scores follow block + cell + error. With four or more cells the error variance is pooled over the cells (at five blocks
and six tricks the power for a 3σ effect rises from .57 to .96); a cell whose variance fails an F test at .99 leaves the
pool, and each contrast that touches it gets its own paired t.

Cells that score one training (averaged weights, test-time augmentation) are no independent runs: only the first cell of
each training lends its variance, and a training counts once in a contrast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from tricklab.statistics import student
from tricklab.statistics.rounding import snap, tolerance

SMALLEST_POOL = 4
LEAVES_BELOW = 0.01


@dataclass(frozen=True)
class BlockedFit:
    """Estimates of T contrasts over C cells; every array may have leading axes (many experiments at once).

    effect, standard_error, df, sd: (..., T); `sd` is the standard deviation of one block's contrast, so that
    standard_error = sd / sqrt(blocks). pooled: (..., T) bool, false where the contrast has its own paired t.
    in_pool: (..., C) bool; of several cells of one training all may be in it. variance_p: (..., C), p of the F test of
    each cell (at the time it left, or the last one).
    """

    effect: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    df: NDArray[np.float64]
    sd: NDArray[np.float64]
    pooled: NDArray[np.bool_]
    in_pool: NDArray[np.bool_]
    variance_p: NDArray[np.float64]

    @property
    def p(self) -> NDArray[np.float64]:
        return student.p_value(self.effect, self.standard_error, self.df)

    def interval(self, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return student.interval(self.effect, self.standard_error, self.df, level)


def contrast_values(scores: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """Per-block values (..., n, T) of contrasts `weights` (T, C) on `scores` (..., n, C); rounding gives exactly 0."""
    scores, weights = np.asarray(scores, dtype=float), np.asarray(weights, dtype=float)
    relative = (
        scores - scores[..., :1]
    )  # every contrast sums to zero, so the block's level may go before it costs digits
    return snap(relative @ weights.T, tolerance(scores, axis=(-2, -1)))


def fit_blocked(scores: ArrayLike, weights: ArrayLike, trainings: Sequence[str] | None = None) -> BlockedFit:
    """Estimate contrasts on complete blocks.

    scores: (..., n blocks, C cells), n ≥ 2. weights: (T, C), each row sums to zero. trainings: (C,) cells of the same
    name score the same training; None: every cell has its own. A contrast that sets cells of one training against each
    other gets its own paired t; elsewhere the variance of a mean of such cells is taken as that of one of them, which
    is its upper bound whatever their correlation.
    """
    scores, weights = np.asarray(scores, dtype=float), np.asarray(weights, dtype=float)
    n, cells = scores.shape[-2:]
    assert n >= 2
    assert np.allclose(weights.sum(axis=1), 0.0)
    limit = tolerance(scores, axis=(-2, -1))[..., 0]

    values = contrast_values(scores, weights)
    effect = snap(values.mean(axis=-2), limit)
    sd = snap(values.std(axis=-2, ddof=1), limit)
    df = np.full(effect.shape, n - 1.0)
    pooled = np.zeros(effect.shape, dtype=bool)
    in_pool = np.zeros((*scores.shape[:-2], cells), dtype=bool)
    variance_p = np.ones(in_pool.shape)
    names = [str(cell) for cell in range(cells)] if trainings is None else list(trainings)
    first = [names.index(name) for name in dict.fromkeys(names)]
    if len(first) >= SMALLEST_POOL:
        in_pool[..., first], variance_p[..., first], sigma = _pool(scores[..., first], limit)
        size = in_pool.sum(axis=-1, keepdims=True)
        _admit_others(scores, names, first, in_pool, variance_p, limit)
        touches_outsider = (~in_pool).astype(float) @ (weights != 0).T.astype(float) > 0
        member = np.array(
            [[names[cell] == name for cell in range(cells)] for name in dict.fromkeys(names)], dtype=float
        )
        totals = weights @ member.T
        apart = np.isclose(np.abs(totals), np.abs(weights) @ member.T).all(axis=1)
        pooled = ~touches_outsider & apart
        sd = np.where(pooled, sigma * np.sqrt((totals**2).sum(axis=1)), sd)
        df = np.where(pooled, (n - 1.0) * (size - 1.0), df)
    return BlockedFit(effect, sd / np.sqrt(n), df, sd, pooled, in_pool, variance_p)


def _pool(
    scores: NDArray[np.float64], limit: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Who stays in the pool (..., C), the variance p of each cell (..., C), and the pooled σ of one run (..., 1).

    The cell that fails worst leaves, and the others are tested again, down to a pool of three.
    """
    n, cells = scores.shape[-2:]
    centred = _centred(scores, limit)
    inside = np.ones((*scores.shape[:-2], cells), dtype=bool)
    final_p = np.ones(inside.shape)
    for _ in range(cells - SMALLEST_POOL + 1):
        p = _variance_p(centred, inside, n, limit)
        final_p = np.where(inside, p, final_p)
        worst = np.argmin(np.where(inside, p, 2.0), axis=-1)[..., None]
        fails = np.take_along_axis(p, worst, axis=-1) < LEAVES_BELOW
        leaving = (np.arange(cells) == worst) & fails & (inside.sum(axis=-1, keepdims=True) >= SMALLEST_POOL)
        if not leaving.any():
            break
        inside = inside & ~leaving
    size = inside.sum(axis=-1, keepdims=True)
    squares, _ = _within(centred, inside)
    sigma = np.sqrt(squares / ((n - 1.0) * (size - 1.0)))
    return inside, final_p, snap(sigma, limit)


def _admit_others(
    scores: NDArray[np.float64],
    names: Sequence[str],
    first: Sequence[int],
    in_pool: NDArray[np.bool_],
    variance_p: NDArray[np.float64],
    limit: NDArray[np.float64],
) -> None:
    """Test each further cell of a training in the place of the training's first one; writes in_pool and variance_p."""
    settled = in_pool[..., first]
    for cell in sorted({*range(len(names))} - {*first}):
        place = next(position for position, other in enumerate(first) if names[other] == names[cell])
        columns = [*first[:place], cell, *first[place + 1 :]]
        inside = settled | (np.arange(len(first)) == place)
        p = _variance_p(_centred(scores[..., columns], limit), inside, scores.shape[-2], limit)[..., place]
        variance_p[..., cell], in_pool[..., cell] = p, p >= LEAVES_BELOW


def _centred(scores: NDArray[np.float64], limit: NDArray[np.float64]) -> NDArray[np.float64]:
    return snap(scores - scores.mean(axis=-2, keepdims=True), limit[..., None])


def _within(centred: NDArray[np.float64], inside: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Residual sum of squares of the additive model over the pool (..., 1), and the block sums (..., n)."""
    totals = np.where(inside[..., None, :], centred, 0.0).sum(axis=-1)
    size = inside.sum(axis=-1)[..., None]
    # residuals one by one: a difference of two sums of squares would leave rounding noise where all cells are equal
    residual = np.where(inside[..., None, :], centred - (totals / size)[..., None], 0.0)
    return (residual**2).sum(axis=(-2, -1))[..., None], totals


def _variance_p(
    centred: NDArray[np.float64], inside: NDArray[np.bool_], n: int, limit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One-sided p (..., C) that a cell is noisier than the rest of the pool.

    A cell's difference from the mean of the others is independent of the others' own residuals, so that the ratio is
    exactly F(n − 1, (n − 1)(size − 2)) when all variances are equal.
    """
    size = inside.sum(axis=-1, keepdims=True).astype(float)
    squares, totals = _within(centred, inside)
    kept = np.where(inside[..., None, :], centred, 0.0)
    apart = kept - (totals[..., None] - kept) / (size[..., None] - 1.0)
    own = (apart**2).sum(axis=-2) * (size - 1.0) / size
    rest = np.maximum(squares - own, 0.0) / ((n - 1.0) * np.maximum(size - 2.0, 1.0))
    own = own / (n - 1.0)
    own, rest = snap(own, limit**2), snap(rest, limit**2)
    ratio = own / np.where(rest == 0, 1.0, rest)
    p = special.fdtrc(n - 1.0, (n - 1.0) * np.maximum(size - 2.0, 1.0), ratio)
    return np.where(rest == 0, np.where(own == 0, 1.0, 0.0), p)
