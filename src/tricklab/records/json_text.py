"""JSON as the run folder writes it: strict for every reader, and exact for floats that JSON has no word for."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tricklab.errors import UserError

_TAG = "$float"


def plain(value: Any) -> Any:
    """The value as it reads back from JSON: keys as text, tuples as lists, NumPy and 0-d tensor values as numbers.

    Raises:
        TypeError: something that JSON cannot hold, such as an object of a class.
    """
    if value is None or isinstance(value, str) or type(value) in (bool, int, float):
        return value
    if isinstance(value, bool | int | float):
        return value.item() if hasattr(value, "item") else value
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"{type(value).__qualname__} cannot be written as JSON: {value!r}")


def dumps(value: Any, indent: int | None = None) -> str:
    """Strict JSON text. Non-finite floats become ``{"$float": "nan"}``, so that other programs can read the file."""
    value = plain(value)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError:
        return json.dumps(_tagged(value), ensure_ascii=False, allow_nan=False, indent=indent)


def loads(text: str | bytes) -> Any:
    """Parse what ``dumps`` wrote.

    >>> loads(dumps({"loss": float("inf")}))
    {'loss': inf}
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    return json.loads(text, object_hook=_untagged if _TAG in text else None)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Parse a whole JSON file.

    Raises:
        UserError: the file is missing or is not JSON; names it.
    """
    try:
        return loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise UserError("no such file", where=os.fspath(path)) from None
    except ValueError as error:
        raise UserError(f"this is not JSON: {error}", where=os.fspath(path)) from None


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int | float) and not isinstance(key, bool):
        return str(key)
    if hasattr(key, "item"):
        return str(key.item())
    raise TypeError(f"a key of a JSON object must be text or a number, not {key!r}")


def _tagged(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_TAG: str(value)}
    if isinstance(value, dict):
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    return value


def _untagged(found: dict[str, Any]) -> Any:
    if len(found) == 1 and _TAG in found:
        return float(found[_TAG])
    return found
