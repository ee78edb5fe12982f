"""Paths into a recipe: ``losses.0.weight``; a key that holds a dot is quoted: ``optimizer.keys."layer1.conv".lr``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tricklab.errors import UserError

Path = tuple[str, ...]
_SEGMENT = re.compile(r'"([^"]+)"|([^."]+)')


def split(path: str) -> Path:
    """The segments of a path.

    >>> split('losses.0.weight'), split('keys."layer1.conv".lr')
    (('losses', '0', 'weight'), ('keys', 'layer1.conv', 'lr'))
    """
    segments: list[str] = []
    position = 0
    while True:
        match = _SEGMENT.match(path, position)
        if match is None:
            raise UserError(f"{path!r} is not a path", fix="write keys joined by dots, such as train.batch_size")
        segments.append(match[1] or match[2].strip())
        position = match.end()
        if position == len(path):
            return tuple(segments)
        if path[position] != ".":
            raise UserError(f"{path!r} is not a path", fix="write keys joined by dots, such as train.batch_size")
        position += 1


def join(segments: Sequence[object]) -> str:
    """The path of some segments; the inverse of ``split``."""
    return ".".join(f'"{segment}"' if "." in str(segment) else str(segment) for segment in segments)


def overlap(first: str, second: str) -> bool:
    """Whether two paths are equal or one leads to the other."""
    one, other = split(first), split(second)
    length = min(len(one), len(other))
    return one[:length] == other[:length]
