"""What a plain YAML scalar means: YAML 1.2's core schema, not 1.1 (where ``on`` is true and ``1e-3`` text)."""

from __future__ import annotations

import re

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})

Scalar = str | int | float | bool | None


def core_scalar(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar.

    Raises:
        ValueError: an integer of more digits than Python converts.

    >>> core_scalar("1e-3"), core_scalar("on"), core_scalar("010"), core_scalar("0x1F"), core_scalar("1_000")
    (0.001, 'on', 10, 31, '1_000')
    """
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return _bounded(int(text[2:], 8))
    if _HEXADECIMAL.fullmatch(text):
        return _bounded(int(text[2:], 16))
    if _FLOAT.fullmatch(text):
        return float(text)
    infinity = _INFINITY.fullmatch(text)
    if infinity:
        return float(f"{infinity[1]}inf")
    if text in _NOT_A_NUMBER:
        return float("nan")
    return text


def _bounded(value: int) -> int:
    """The value, unless Python could not write it in decimal again."""
    str(value)
    return value
