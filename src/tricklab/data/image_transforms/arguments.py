"""Checks that several augmentations of images make of their arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tricklab.errors import UserError


def check_chance(p: float, where: str) -> float:
    """A chance above 0 and up to 1: at 0 nothing would be done."""
    if not 0 < p <= 1:
        raise UserError(f"a chance must be above 0 and at most 1, not {p}", where=where)
    return float(p)


def check_range(values: Sequence[float], low: float, high: float, where: str) -> tuple[float, float]:
    """A rising pair of numbers above ``low`` and up to ``high``."""
    first, last = float(values[0]), float(values[1])
    if not low < first <= last <= high:
        raise UserError(f"a range must rise and lie above {low:g} and up to {high:g}, not {list(values)}", where=where)
    return first, last


def check_colour(values: Sequence[int], where: str) -> tuple[int, ...]:
    """Three bytes."""
    if not all(0 <= value <= 255 for value in values):
        raise UserError(f"a colour is three numbers from 0 to 255, not {list(values)}", where=where)
    return tuple(values)


def between(lots: np.ndarray, low: float, high: float) -> np.ndarray:
    """Uniform numbers in [0, 1) spread over [low, high)."""
    return low + (high - low) * lots


def whole(lots: np.ndarray, count: np.ndarray | int) -> np.ndarray:
    """Uniform numbers in [0, 1) as whole numbers 0 … count - 1, int64."""
    return np.minimum((lots * count).astype(np.int64), np.asarray(count, dtype=np.int64) - 1)
