"""Dealing units of images to sides so that every side gets its share of every class."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tricklab.data.split import PLACE
from tricklab.errors import UserError

_TRIES = 64
_MOST_STEPS = 100_000
_STARVED = 1e6
_ROUNDING = Fraction(1, 10**9)
_FINEST = 10**6


def exact_shares(**shares: float) -> dict[str, Fraction]:
    """Shares as the simple fractions that were meant: 0.3 for 0.30000000000000004, a third for 0.333333333.

    Raises:
        UserError: a share outside 0 to 1, or they do not add up to 1; says what is missing.
    """
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise UserError(
                f"a share must be between 0 and 1, not {share}", where=f"{PLACE}.{name}", fix="0.3 is thirty percent"
            )
    exact = {name: Fraction(share).limit_denominator(_FINEST) for name, share in shares.items()}
    total = sum(exact.values(), Fraction(0))
    if abs(total - 1) > _ROUNDING:
        told = " + ".join(f"{name} {share:g}" for name, share in shares.items())
        raise UserError(
            f"the shares add up to {float(total):g}, not 1: {told}",
            where=PLACE,
            fix=f"one share should be {float(1 - total):g} "
            + ("more, or write unused: for images to be left out" if total < 1 else "less"),
        )
    return {name: share / total for name, share in exact.items()}


def quotas(sizes: np.ndarray, shares: Sequence[Fraction], classes: Sequence[str], sides: Sequence[str]) -> np.ndarray:
    """How many images of each class each side gets, int64 (sides, K).

    Each class by itself is rounded by largest remainders (Hamilton's method; of equal remainders the earlier side's
    first), so no side is off by a whole image; then a side that would get none takes one from the class's largest side,
    save the side ``unused``, which may stay empty.

    Raises:
        UserError: a class has fewer images than there are sides with a share; names it.
    """
    wanted = [place for place, share in enumerate(shares) if share > 0 and sides[place] != "unused"]
    found = np.zeros((len(shares), len(sizes)), dtype=np.int64)
    for number, size in enumerate(sizes.tolist()):
        if size < len(wanted):
            raise UserError(
                f"the class {classes[number]} has {size} image{'s' if size != 1 else ''}: it cannot be divided among "
                f"{', '.join(sides[place] for place in wanted)}",
                where=PLACE,
                fix="leave the class out, or use fewer sides",
            )
        found[:, number] = largest_remainders([share * size for share in shares], size)
        for place in wanted:
            if found[place, number] == 0:
                found[found[:, number].argmax(), number] -= 1
                found[place, number] = 1
    return found


def largest_remainders(exact: Sequence[Fraction], total: int) -> np.ndarray:
    """Whole numbers that add up to ``total``, nearest to ``exact``, which adds up to it too.

    >>> largest_remainders([Fraction(14, 10), Fraction(26, 10)], 4).tolist()
    [1, 3]
    """
    whole = [int(value) for value in exact]
    order = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])
    for place in order[: total - sum(whole)]:
        whole[place] += 1
    return np.array(whole, dtype=np.int64)


def deal(units: np.ndarray, labels: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal images to sides, whole units at a time.

    Units of several images go first, the larger ones before the smaller, each to a side drawn by what the sides still
    want of its classes; single images then fill every side up to what it wants, exactly. Where large units leave no way
    to meet the numbers, the best of several draws is taken.

    Args:
        units: int64 (N,), numbers of units.
        labels: int64 (N,) in 0 … K-1.
        wanted: int64 (sides, K), images of each class for each side; columns add up to the classes' sizes.
        rng: of this split.

    Returns:
        The number of each image's side, int64 (N,).
    """
    _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    alone = sizes[unit] == 1
    several = np.flatnonzero(sizes > 1)
    # images of each class in each unit of several, (U, K)
    place = np.full(len(sizes), -1)
    place[several] = np.arange(len(several))
    classes = wanted.shape[1]
    together = place[unit[~alone]] * classes + labels[~alone]
    counts = np.bincount(together, minlength=len(several) * classes).reshape(len(several), classes)
    singles = np.bincount(labels[alone], minlength=classes)
    weight = 1 / np.maximum(wanted.sum(axis=0), 1)
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for _ in range(max(1, min(_TRIES, _MOST_STEPS // max(1, len(several))))):
        dealt, missing = _deal_units(counts, wanted, weight, rng)
        seats = _seats(missing, singles)
        off = missing - seats
        cost = float((off**2 * weight).sum()) + _STARVED * int(((off == wanted) & (wanted > 0)).sum())
        if best is None or cost < best[0]:
            best = cost, dealt, seats
        if cost == 0:
            break
    assert best is not None
    _, dealt, seats = best
    sides = np.full(len(units), -1, dtype=np.int64)
    sides[~alone] = dealt[place[unit[~alone]]]
    for number in range(classes):
        members = np.flatnonzero(alone & (labels == number))
        sides[members] = rng.permutation(np.repeat(np.arange(len(wanted)), seats[:, number]))
    return sides


def _seats(missing: np.ndarray, singles: np.ndarray) -> np.ndarray:
    """How many single images of each class each side gets, int64 (sides, K), in proportion to what is missing."""
    seats = np.maximum(missing, 0)
    totals = seats.sum(axis=0)
    # more is missing than there are images where units were too large for another side
    for number in np.flatnonzero(totals != singles).tolist():
        left = int(singles[number])
        shares = [Fraction(int(value) * left, int(totals[number])) for value in seats[:, number]]
        seats[:, number] = largest_remainders(shares, left)
    return seats


def _deal_units(
    counts: np.ndarray, wanted: np.ndarray, weight: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sides of the units, int64 (U,), and what each side still wants, (sides, K), negative where it has too much."""
    missing = wanted.copy()
    dealt = np.zeros(len(counts), dtype=np.int64)
    order = rng.permutation(len(counts))
    for number in order[np.argsort(-counts[order].sum(axis=1), kind="stable")]:
        count = counts[number]
        want = (missing * count * weight).sum(axis=1).astype(np.float64)
        fits = (missing >= count).all(axis=1) & (want > 0)
        if fits.any():
            odds = np.where(fits, want, 0).cumsum()
            side = int(np.searchsorted(odds, rng.random() * odds[-1], side="right"))
        else:
            # nothing fits: where the excess hurts least
            side = int((((missing - count) ** 2 - missing**2) * weight).sum(axis=1).argmin())
        dealt[number] = side
        missing[side] -= count
    return dealt, missing
