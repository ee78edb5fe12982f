"""How many pixels a share means: scikit-learn's rounding, on the exact value of a decimal share."""

from __future__ import annotations

import math
from fractions import Fraction

from tricklab.errors import UserError


def check_share(value: float, key: str, *, zero: bool = False) -> None:
    """Refuse a share that is not inside (0, 1), or [0, 1) with ``zero``."""
    if not (0 < value < 1 or (zero and value == 0)):
        low = "0 or more" if zero else "more than 0"
        raise UserError(f"a share must be {low} and below 1, not {value}", where=key, fix="write 0.1 for ten percent")


def rounded_down(share: float, count: int) -> int:
    """``floor(share · count)`` with the share taken as the decimal it was written as.

    The test side gets the rest, as when scikit-learn rounds ``test_size`` up: 10 % of 10,249 are 1,024 and 9,225.

    >>> rounded_down(0.1, 10249), rounded_down(0.29, 100)
    (1024, 29)
    """
    return math.floor(Fraction(repr(float(share))) * count)
