"""What a number of blocks entitles one to say."""

from __future__ import annotations

from typing import Literal

Tier = Literal["smoke", "screening", "evidence", "strong"]

SCREENING_FROM = 3
EVIDENCE_FROM = 5
STRONG_FROM = 10


def tier(blocks: int) -> Tier:
    """1-2 blocks: smoke (no verdict), 3-4: screening (direction, no claim), from 5 evidence, from 10 strong.

    >>> [tier(n) for n in (2, 4, 5, 10)]
    ['smoke', 'screening', 'evidence', 'strong']
    """
    if blocks < SCREENING_FROM:
        return "smoke"
    if blocks < EVIDENCE_FROM:
        return "screening"
    return "evidence" if blocks < STRONG_FROM else "strong"
