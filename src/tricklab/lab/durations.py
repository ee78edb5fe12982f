"""Lengths of time, as people write and read them."""

from __future__ import annotations

import math
import re

from tricklab.errors import UserError

_WRITTEN = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s?)?")


def span(seconds: float | None) -> str:
    """A length of time in one figure; nothing for an unknown one.

    >>> span(5), span(200), span(9000), span(None)
    ('5 s', '3 min', '2.5 h', '')
    """
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 2 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def seconds_of(text: str) -> float:
    """Seconds in ``2h``, ``90m``, ``1h30m``, ``45s`` or a plain number of seconds.

    >>> seconds_of("1h30m"), seconds_of("45s")
    (5400.0, 45.0)
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise UserError(f"{text!r} is no length of time", where="--budget", fix="write 2h, 90m, 1h30m or 45s")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 86400 * days + 3600 * hours + 60 * minutes + seconds
