"""How numbers are written in the report: one rule for the page, the drawings and the Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"


def decimals_for(values: Iterable[float | None], significant: int = 3) -> int:
    """Decimals that show ``significant`` digits of the typical size of ``values`` (the median of the non-zero ones).

    >>> decimals_for([0.0123, 0.004, None])
    4
    """
    sizes = sorted(abs(value) for value in values if value is not None and math.isfinite(value) and value != 0)
    if not sizes:
        return 3
    middle = sizes[len(sizes) // 2]
    return max(0, min(6, significant - 1 - math.floor(math.log10(middle))))


def several(count: int, what: str) -> str:
    """A number of things.

    >>> several(1, "block"), several(5, "block")
    ('1 block', '5 blocks')
    """
    return f"{count} {what}{'s' * (count != 1)}"


def plain(value: float | None, decimals: int = 4) -> str:
    """A value, or an en dash where there is none.

    >>> plain(0.98765, 3), plain(None)
    ('0.988', '–')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:.{decimals}f}"
    return text.replace("-", MINUS) if float(text) else f"{0:.{decimals}f}"


def signed(value: float | None, decimals: int = 4) -> str:
    """A difference, always with its sign.

    >>> signed(0.0123), signed(-0.5, 1), signed(0.0, 1)
    ('+0.0123', '−0.5', '0.0')
    """
    text = plain(value, decimals)
    return f"+{text}" if value is not None and math.isfinite(value) and value > 0 and float(text) else text


def interval(low: float | None, high: float | None, decimals: int = 4) -> str:
    """``[low, high]`` with signs; an en dash where there is no interval."""
    if low is None or high is None:
        return NOTHING
    return f"[{signed(low, decimals)}, {signed(high, decimals)}]"


def probability(value: float | None) -> str:
    """A p value.

    >>> probability(0.0004), probability(0.034), probability(0.62)
    ('< .001', '.034', '.62')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if value < 0.001:
        return "< .001"
    if value >= 0.9995:
        return "1"
    return f"{value:.3f}"[1:] if value < 0.1 else f"{value:.2f}".lstrip("0")


def duration(seconds: float | None) -> str:
    """Seconds in the unit a person would say.

    >>> duration(42.0), duration(200), duration(4000), duration(9000)
    ('42 s', '3.3 min', '67 min', '2.5 h')
    """
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min" if seconds < 600 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def percent(share: float | None, decimals: int = 1) -> str:
    """A share of one as a percentage.

    >>> percent(0.9562)
    '95.6 %'
    """
    return NOTHING if share is None else f"{plain(100 * share, decimals)} %"
