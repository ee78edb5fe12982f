"""Would the effect survive another test set? A bootstrap over images, apart from the question of other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tricklab.errors import UserError

FEWEST_IMAGES = 20
FEWEST_BLOCKS = 10
_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class OtherImages:
    """interval: other images, these very blocks. crossed: other images and other blocks (None below ten blocks, where a
    bootstrap over blocks is far too narrow). Both percentile intervals at 1 − level of the mean difference."""

    effect: float
    interval: tuple[float, float]
    crossed: tuple[float, float] | None
    images: int
    blocks: int
    draws: int


def survives_other_images(
    differences: Sequence[ArrayLike],
    ids: Sequence[ArrayLike] | None = None,
    *,
    level: float = 0.05,
    draws: int = 2000,
    seed: int = 0,
) -> OtherImages:
    """Resample images, and images × blocks (Owen's pigeonhole bootstrap, Annals of Applied Statistics 2007).

    differences: for each block the per-image score with the trick minus without (or any contrast over cells), for
    metrics that are means over images. ids: for each block which images these are, where blocks redraw the split; an
    image that appears in several blocks is drawn or left out in all of them. Without ids every block has the same
    images in order.
    """
    values, present = _matrix(differences, ids)
    blocks, images = values.shape
    if images < FEWEST_IMAGES:
        raise UserError(
            f"{images} images are too few to say anything of another test set", fix=f"at least {FEWEST_IMAGES}"
        )
    generator = np.random.default_rng(seed)
    fixed = np.full((1, blocks), 1.0 / blocks)
    along_images, along_both = [], []
    for begin in range(0, draws, chunk := max(1, _CELLS_AT_ONCE // images)):
        count = min(chunk, draws - begin)
        weights = _resample(generator, count, images)
        seen = weights @ present.T
        means = (weights @ values.T) / np.maximum(seen, 1.0)
        along_images.append(_average(means, seen, fixed))
        along_both.append(_average(means, seen, _resample(generator, count, blocks)))
    ends = [level / 2.0, 1.0 - level / 2.0]
    low, high = (float(end) for end in np.quantile(np.concatenate(along_images), ends))
    both = tuple(float(end) for end in np.quantile(np.concatenate(along_both), ends))
    effect = float((values.sum(axis=1) / present.sum(axis=1)).mean())
    crossed = (both[0], both[1]) if blocks >= FEWEST_BLOCKS else None
    return OtherImages(effect, (low, high), crossed, images, blocks, draws)


def _matrix(
    differences: Sequence[ArrayLike], ids: Sequence[ArrayLike] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Differences (blocks, images) with 0 where a block lacks an image, and which it has."""
    rows = [np.asarray(row, dtype=float).ravel() for row in differences]
    if not rows or min(map(len, rows)) == 0:
        raise UserError("there are no per-image scores", where="differences")
    if not all(np.isfinite(row).all() for row in rows):
        raise UserError("a per-image score is not finite", where="differences")
    if ids is None:
        if len({len(row) for row in rows}) > 1:
            raise UserError("blocks have different numbers of images", fix="say which images they are by `ids`")
        return np.stack(rows), np.ones((len(rows), len(rows[0])))
    names = [np.asarray(row).ravel() for row in ids]
    if [len(row) for row in rows] != [len(row) for row in names]:
        raise UserError("ids and differences have different lengths", where="ids")
    known, places = np.unique(np.concatenate(names), return_inverse=True)
    values, present = np.zeros((len(rows), len(known))), np.zeros((len(rows), len(known)))
    begin = 0
    for block, row in enumerate(rows):
        columns = places[begin : begin + len(row)]
        begin += len(row)
        if len(np.unique(columns)) < len(columns):
            raise UserError(f"block {block} names an image twice", where="ids")
        values[block, columns], present[block, columns] = row, 1.0
    return values, present


def _resample(generator: np.random.Generator, count: int, size: int) -> NDArray[np.float64]:
    """How often each of `size` things is drawn in `count` resamples: (count, size)."""
    drawn = generator.integers(size, size=(count, size)) + size * np.arange(count)[:, None]
    return np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(float)


def _average(
    means: NDArray[np.float64], seen: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted mean over the blocks of which some image was drawn."""
    weights = weights * (seen > 0)
    return np.asarray((weights * means).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-300))
