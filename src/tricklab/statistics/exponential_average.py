"""What an exponential average still holds of its start, in plain arithmetic: known before a run has begun."""

from __future__ import annotations

import math


def decay_at(update: int, decay: float, warmup: bool) -> float:
    """Share of the average that the 0-based update keeps; with warm-up min(decay, (1 + t) / (10 + t)).

    >>> decay_at(0, 0.999, True), decay_at(0, 0.999, False)
    (0.1, 0.999)
    """
    return min(decay, (1 + update) / (10 + update)) if warmup else decay


def initial_share(updates: int, decay: float, warmup: bool) -> float:
    """Weight of the start in the average after so many updates: decay^updates without warm-up.

    >>> round(initial_share(10_000, 0.9999, False), 2)
    0.37
    """
    return math.exp(_log_share(updates, decay, warmup))


def updates_until(share: float, decay: float, warmup: bool) -> int:
    """Updates after which the start weighs at most ``share``.

    >>> updates_until(0.05, 0.9999, False)
    29956
    """
    if not warmup:
        return math.ceil(math.log(share) / math.log(decay))
    ramp = _ramp(decay)
    if _log_share(ramp, decay, warmup) <= math.log(share):
        return next(n for n in range(ramp + 1) if _log_share(n, decay, warmup) <= math.log(share))
    return ramp + math.ceil((math.log(share) - _log_share(ramp, decay, warmup)) / math.log(decay))


def half_life(decay: float) -> float:
    """Updates after which weights count half as much as new ones.

    >>> round(half_life(0.9999))
    6931
    """
    return math.log(0.5) / math.log(decay)


def _log_share(updates: int, decay: float, warmup: bool) -> float:
    if not warmup:
        return updates * math.log(decay)
    ramp = min(updates, _ramp(decay))
    # the product of (1 + t) / (10 + t) over t < n is n! 9! / (n + 9)!
    rising = math.lgamma(ramp + 1) + math.lgamma(10) - math.lgamma(ramp + 10)
    return rising + (updates - ramp) * math.log(decay)


def _ramp(decay: float) -> int:
    """Updates whose decay is that of the warm-up: (1 + t) / (10 + t) below ``decay``."""
    return max(0, math.ceil((10 * decay - 1) / (1 - decay)))
