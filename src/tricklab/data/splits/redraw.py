"""Draw again when a class would be missing from a split, and count it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from tricklab.data.split import Split, class_counts, class_name
from tricklab.errors import UserError

_MOST_DRAWS = 100


def draw_until_fed(
    draw: Callable[[int], Iterable[Split]],
    labels_HW: np.ndarray,
    names: Sequence[str],
    *,
    wanted: Sequence[str],
    random: bool,
    fix: str,
) -> list[Split]:
    """The first draw in which no split starves, that is, in which each holds a pixel of every class.

    Args:
        draw: ``draw(attempt)`` gives the splits of one draw, all of which must be fed; looked at one by one.
        wanted: the splits that must be fed, of ``train``, ``val`` and ``test``.
        random: whether another attempt can give anything else.
        fix: advice for the error.

    Returns:
        The splits, each with the fact ``redrawn``: how many draws were thrown away.

    Raises:
        UserError: every draw starves a class; names the classes of the last one.
    """
    classes = int(labels_HW.max()) + 1
    starved: list[str] = []
    draws = _MOST_DRAWS if random else 1
    for attempt in range(draws):
        found: list[Split] = []
        for split in draw(attempt):
            found.append(split)
            starved = _starved(split, labels_HW, classes, names, wanted)
            if starved:
                break
        if not starved:
            return [replace(split, facts={**split.facts, "redrawn": attempt}) for split in found]
    tried = f"in each of {draws} draws; in the last one" if draws > 1 else "with these settings"
    shown = "; ".join(starved[:6]) + (" …" if len(starved) > 6 else "")
    raise UserError(f"a class is missing from a split {tried}: {shown}", where="data.split", fix=fix)


def _starved(
    split: Split, labels_HW: np.ndarray, classes: int, names: Sequence[str], wanted: Sequence[str]
) -> list[str]:
    counts = class_counts(split, labels_HW, classes)
    empty = [(which, int(number)) for which in wanted for number in np.flatnonzero(counts[which] == 0)]
    return [f"no {which} pixel of {class_name(names, number)}" for which, number in empty]
