"""Items of a list that was changed, found again: what a trick puts between two others moves those behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tricklab.recipe.paths import join, split


def aligned(before: Sequence[Any], after: Sequence[Any]) -> list[int | None]:
    """For each item of ``after`` its place in ``before``, None for a new one.

    Where every old item is still there, in order, the others were put in; otherwise items correspond by place.

    >>> aligned(["a", "c"], ["a", "b", "c"]), aligned(["a", "c"], ["a", "b"])
    ([0, None, 1], [0, 1])
    """
    places: list[int | None] = []
    following = 0
    for item in after:
        same = following < len(before) and before[following] == item
        places.append(following if same else None)
        following += same
    if following == len(before):
        return places
    return [place if place < len(before) else None for place in range(len(after))]


def moved(path: str, before: Any, after: Any) -> str:
    """The path that a value at ``path`` of one tree of plain data has in another, in which items may have moved.

    >>> moved("a.0.p", {"a": [{"p": 1}]}, {"a": [{"q": 2}, {"p": 1}]})
    'a.1.p'
    """
    segments = list(split(path))
    for depth, segment in enumerate(segments):
        if isinstance(before, list) and isinstance(after, list):
            place = int(segment)
            places = aligned(before, after)
            if place not in places:
                break
            segments[depth] = str(places.index(place))
            before, after = before[place], after[places.index(place)]
        elif isinstance(before, dict) and isinstance(after, dict) and segment in before and segment in after:
            before, after = before[segment], after[segment]
        else:
            break
    return join(segments)
