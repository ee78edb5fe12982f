"""Paths into a recipe: ``losses.0.weight``; a key that holds a dot is quoted: ``optimizer.keys."layer1.conv".lr``.

Inside quotes a backslash stands before a quote or a backslash of the key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tricklab.errors import UserError

Path = tuple[str, ...]
_SEGMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|\s*([^."\s](?:[^."]*[^."\s])?)\s*', re.DOTALL)
_MOST_DIGITS = 18


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
        segments.append(match[2] if match[1] is None else re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL))
        position = match.end()
        if position == len(path):
            return tuple(segments)
        if path[position] != ".":
            raise UserError(f"{path!r} is not a path", fix="write keys joined by dots, such as train.batch_size")
        position += 1


def join(segments: Sequence[object]) -> str:
    """The path of some segments; the inverse of ``split``."""
    return ".".join(map(_spelt, segments))


def index(segment: object) -> int | None:
    """The whole number that a segment spells, or None: ``"3"`` is 3."""
    text = str(segment)
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def overlap(first: str, second: str) -> bool:
    """Whether two paths are equal or one leads to the other."""
    one, other = split(first), split(second)
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _spelt(segment: object) -> str:
    text = str(segment)
    if text and text == text.strip() and "." not in text and '"' not in text:
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
