"""The classes of an experiment as text: one table over all tricks, one for each trick, and every number for a CSV."""

from __future__ import annotations

from typing import Any

import numpy as np

from tricklab.lab.report.class_effects import LEVEL, ClassEffects, TrickClasses, most_moved
from tricklab.lab.report.numbers import decimals_for, interval, percent, plain, signed

SHOWN = 30
CSV_COLUMNS = ("class", "share", "score", "trick", "without", "with", "effect", "low", "high", "blocks")


def class_section(found: ClassEffects | None) -> dict[str, Any] | None:
    """Everything that the page and the Markdown say of classes, as text; None where there is nothing.

    Returns:
        ``note``, ``caption``, ``title`` (of the score), ``tricks`` (names), ``rows`` (``name, share, baseline`` and
        ``cells``: a difference for each trick, with whether its interval leaves zero out), ``each`` (for every trick
        ``name`` and ``rows`` with ``name, share, without, with_, effect, interval, apart, blocks``), ``left``.
    """
    if found is None:
        return None
    digits = _digits(found)
    return {
        "note": _note(found),
        "caption": f"{found.title} of each class on {found.split}: the baseline's mean over blocks, and what each "
        f"trick added to it. Strong: the {100 * LEVEL:g} % interval leaves zero out.",
        "title": found.title,
        "tricks": [trick.name for trick in found.tricks],
        "rows": [
            {
                "name": found.classes[number],
                "share": percent(found.share[number], 2),
                "baseline": plain(found.baseline[number], digits),
                "cells": [
                    {"text": signed(trick.effect[number], digits), "apart": _apart(trick, number)}
                    for trick in found.tricks
                ],
            }
            for number in found.moved()[:SHOWN]
        ],
        "each": [
            {"name": trick.name, "rows": [_row(found, trick, number, digits) for number in most_moved(trick)[:SHOWN]]}
            for trick in found.tricks
        ],
        "left": _left(len(found.classes) - SHOWN),
    }


def class_lines(found: ClassEffects | None) -> list[dict[str, Any]]:
    """One line for each class and trick, numbers unrounded, classes in their own order."""
    if found is None:
        return []
    return [
        {
            "class": name,
            "share": found.share[number],
            "score": found.score,
            "trick": trick.name,
            "without": _known(trick.without[number]),
            "with": _known(trick.with_[number]),
            "effect": _known(trick.effect[number]),
            "low": _known(trick.low[number]),
            "high": _known(trick.high[number]),
            "blocks": int(trick.blocks[number]),
        }
        for trick in found.tricks
        for number, name in enumerate(found.classes)
    ]


def _row(found: ClassEffects, trick: TrickClasses, number: int, digits: int) -> dict[str, Any]:
    low, high = _known(trick.low[number]), _known(trick.high[number])
    return {
        "name": found.classes[number],
        "share": percent(found.share[number], 2),
        "without": plain(trick.without[number], digits),
        "with_": plain(trick.with_[number], digits),
        "effect": signed(trick.effect[number], digits),
        "interval": interval(low, high, digits),
        "apart": _apart(trick, number),
        "blocks": str(trick.blocks[number]),
    }


def _note(found: ClassEffects) -> str:
    # a class that nothing ever answers has an interval of no width, which chance cannot move
    count = sum(int((trick.high > trick.low).sum()) for trick in found.tricks)
    text = "Exploratory: not declared before running, not corrected, no verdicts. "
    if count:
        expected = round((1 - LEVEL) * count)
        text += (
            f"Of {count:,} such {100 * LEVEL:g} % intervals one in {round(1 / (1 - LEVEL))} would leave zero out by "
            f"chance alone if no trick did anything{f': some {expected:,}' if expected else ''}. "
        )
    else:
        text += "Intervals need three blocks, and scores that differ. "
    return text + "They say where to look. Runs that failed are left out here."


def _left(count: int) -> str:
    more = f"{count:,} more class{'es' if count != 1 else ''} moved less: report-classes.csv lists all."
    return more if count > 0 else ""


def _apart(trick: TrickClasses, number: int) -> bool:
    return bool(trick.low[number] > 0 or trick.high[number] < 0)


def _digits(found: ClassEffects) -> int:
    effects = [float(value) for trick in found.tricks for value in trick.effect]
    return min(4, max(3, decimals_for(effects, 2)))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def class_headings(section: dict[str, Any], alone: bool) -> tuple[str, ...]:
    """Titles of a table of one trick (``alone``) or of all of them."""
    title = section["title"]
    if alone:
        return (
            "class",
            "share",
            f"{title} without",
            f"{title} with",
            "difference",
            f"{100 * LEVEL:g} % interval",
            "blocks",
        )
    return ("class", "share", f"baseline {title}", *section["tricks"])
