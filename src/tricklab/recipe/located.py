"""Plain data in which every value knows where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tricklab.errors import UserError, nearest
from tricklab.recipe.paths import Path, index, join

# Keys of which a mapping holds exactly one: a later layer that sets one of them drops the inherited others.
LENGTHS = ("epochs", "iterations", "samples")
# Names at these paths choose something; they are no component's name, so a mapping replaces them.
PLAIN_CHOICES = {("data", "normalise")}


@dataclass(frozen=True)
class Origin:
    """Where a value came from: ``recipes/x.yaml:12``, ``command line``, ``default of HybridSN``, ``trick se``."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Located:
    """A value with its origin. ``value`` is a mapping or list of ``Located``, or a scalar; never changed in place.

    ``partial`` marks a mapping that was made from the segments of a path on the command line: its digit keys may
    address list items.
    """

    value: Any
    origin: Origin
    partial: bool = False

    def child(self, segment: str) -> Located | None:
        """The item under a key or an index, or None."""
        if isinstance(self.value, dict):
            if segment in self.value:
                return self.value[segment]
            return next((item for key, item in self.value.items() if str(key) == segment), None)
        number = index(segment)
        if isinstance(self.value, list) and number is not None and number < len(self.value):
            return self.value[number]
        return None


def locate(value: Any, origin: Origin, path: Path = ()) -> Located:
    """Plain Python data as ``Located``, every value with the same origin; tuples become lists.

    Raises:
        UserError: something that is not a mapping, list, tuple, string, number, boolean or None.
    """
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise UserError(f"a key must be text or a whole number, not {key!r}", where=f"{origin}, {join(path)}")
        return Located({k: locate(v, origin, (*path, str(k))) for k, v in value.items()}, origin)
    if isinstance(value, list | tuple):
        return Located([locate(item, origin, (*path, str(i))) for i, item in enumerate(value)], origin)
    if value is None or type(value) in (str, int, float, bool):
        return Located(value, origin)
    raise UserError(
        f"{type(value).__name__} is not plain data: {value!r}",
        where=f"{origin}, {join(path)}",
        fix="a recipe holds mappings, lists, text, numbers, true, false and null",
    )


def plain(located: Located) -> Any:
    """The bare data, freshly copied."""
    if isinstance(located.value, dict):
        return {key: plain(item) for key, item in located.value.items()}
    if isinstance(located.value, list):
        return [plain(item) for item in located.value]
    return located.value


def find(root: Located, path: Path) -> Located | None:
    """The value at a path, or None."""
    here: Located | None = root
    for segment in path:
        here = here.child(segment) if here is not None else None
    return here


def origin_at(root: Located, path: Path) -> Origin:
    """The origin of the value at a path, or of the nearest value above it."""
    here = root
    for segment in path:
        inner = here.child(segment)
        if inner is None:
            break
        here = inner
    return here.origin


def put(root: Located, path: Path, value: Located, done: Path = ()) -> Located:
    """A copy of ``root`` with the value at ``path`` set; missing mappings on the way are made.

    An index one past the end of a list appends. Raises UserError where the way leads through a scalar or past a list.
    """
    if not path:
        return value
    segment, rest = path[0], path[1:]
    inner = root.child(segment)
    place = join((*done, segment))
    if isinstance(root.value, list):
        number = index(segment)
        if number is None or number > len(root.value):
            raise UserError(f"{join(done)} is a list of {len(root.value)} items and has no {segment!r}", where=place)
        items = list(root.value)
        items[number : number + 1] = [put(inner or Located({}, value.origin), rest, value, (*done, segment))]
        return Located(items, root.origin)
    if not isinstance(root.value, dict):
        raise UserError(f"{join(done)} is {root.value!r} and has no key {segment!r}", where=f"{root.origin}, {place}")
    keys = {str(key): key for key in root.value}
    filled = put(inner if inner is not None else Located({}, value.origin), rest, value, (*done, segment))
    return Located({**root.value, keys.get(segment, segment): filled}, root.origin)


def drop(root: Located, path: Path) -> Located:
    """A copy of ``root`` without the value at ``path``, which must exist."""
    segment, rest = path[0], path[1:]
    inner = root.child(segment)
    if inner is None:
        known = root.value if isinstance(root.value, dict) else []
        raise UserError(f"there is no {segment!r} to remove", where=str(root.origin), fix=nearest(segment, known))
    if rest:
        return put(root, (segment,), drop(inner, rest))
    if isinstance(root.value, list):
        return Located([item for i, item in enumerate(root.value) if i != index(segment)], root.origin)
    return Located({key: item for key, item in root.value.items() if str(key) != segment}, root.origin)


def merge(base: Located, over: Located, path: Path = ()) -> Located:
    """``over`` laid on ``base``: mappings merge, a changed ``type`` replaces the whole component, lists replace.

    A component's bare name (``model=PixelSVM``) counts as ``{type: PixelSVM}``. Of ``epochs``, ``iterations`` and
    ``samples`` the one that ``over`` sets (to something else than null) drops the others.
    """
    if isinstance(base.value, dict) and "type" in base.value and isinstance(over.value, str):
        over = Located({"type": over}, over.origin)
    named = isinstance(base.value, str) and path not in PLAIN_CHOICES
    if named and isinstance(over.value, dict) and "type" not in over.value:
        base = Located({"type": base}, base.origin)
    if isinstance(base.value, list) and over.partial:
        for key, item in over.value.items():
            inner = base.child(str(key))
            base = put(base, (str(key),), merge(inner, item, (*path, str(key))) if inner else settled(item), path)
        return base
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return settled(over)
    its_type, new_type = base.value.get("type"), over.value.get("type")
    if its_type is not None and new_type is not None and its_type.value != new_type.value:
        return settled(over)
    keys = {str(key): key for key in base.value}
    merged = dict(base.value)
    sets_a_length = any(key in over.value and over.value[key].value is not None for key in LENGTHS)
    if sets_a_length and path and (path == ("train",) or path[-1].endswith("_every")):
        merged = {key: item for key, item in merged.items() if key not in LENGTHS}
    for key, item in over.value.items():
        its_key = keys.get(str(key), key)
        merged[its_key] = merge(merged[its_key], item, (*path, str(key))) if its_key in merged else settled(item)
    return Located(merged, over.origin if not over.partial else base.origin)


def settled(over: Located) -> Located:
    """``over`` with no base below it: digit keys of path-made mappings become whole numbers."""
    if isinstance(over.value, list):
        return Located([settled(item) for item in over.value], over.origin)
    if not isinstance(over.value, dict):
        return over
    numbers = {key: index(key) if over.partial else None for key in over.value}
    items = {key if numbers[key] is None else numbers[key]: settled(item) for key, item in over.value.items()}
    return Located(items, over.origin)
