"""Which bands are used: removal by 1-based numbers and ranges, as papers write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from tricklab.errors import UserError


def kept_bands(remove: Sequence[int | str], bands: int) -> np.ndarray:
    """0-based indices of the bands that stay, int64, ascending.

    Args:
        remove: 1-based band numbers, or ranges such as ``"104-108"`` that include both ends.
        bands: number of bands of the cube.

    Raises:
        UserError: not a number or range, outside 1 … bands, named twice, or none left.

    >>> kept_bands([1, "3-4"], 6).tolist()
    [1, 4, 5]
    """
    gone = np.zeros(bands, dtype=bool)
    for item in remove:
        first, last = _range(item)
        if not 1 <= first <= last <= bands:
            raise UserError(f"{item!r} is not within the bands 1-{bands}", where="data.remove_bands")
        if gone[first - 1 : last].any():
            again = int(np.flatnonzero(gone[first - 1 : last])[0]) + first
            raise UserError(f"band {again} is named twice", where="data.remove_bands")
        gone[first - 1 : last] = True
    if gone.all():
        raise UserError(f"all {bands} bands are removed", where="data.remove_bands")
    return np.flatnonzero(~gone)


def _range(item: int | str) -> tuple[int, int]:
    if isinstance(item, int) and not isinstance(item, bool):
        return item, item
    match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", item) if isinstance(item, str) else None
    if match is None:
        raise UserError(
            f"{item!r} is neither a band number nor a range",
            where="data.remove_bands",
            fix='write 1-based numbers and ranges: [1, "104-108", 220]',
        )
    return int(match[1]), int(match[2] or match[1])
