"""``train.batch_size=32`` on the command line: laid on a recipe together, in whatever order."""

from __future__ import annotations

from collections.abc import Sequence

from tricklab.errors import UserError, nearest
from tricklab.recipe.defaults import BELOW_OVERRIDES
from tricklab.recipe.located import Located, Origin, find, locate, merge, put
from tricklab.recipe.paths import Path, index, join, split
from tricklab.recipe.yaml_nodes import read

COMMAND_LINE = Origin("command line")
_NOT_HERE = {"base": "give another recipe instead", "tricks": "write +trick or --without trick", "imports": None}


def parse_override(text: str) -> tuple[Path, Located]:
    """The path and the value of ``a.b=1e-3``; the value means what it would mean in a recipe file.

    >>> path, value = parse_override("optimizer.lr=1e-3")
    >>> path, value.value
    (('optimizer', 'lr'), 0.001)
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"{text!r} is not an override", where=COMMAND_LINE.text, fix="write key=value, or +trick")
    try:
        path = split(key.strip())
    except UserError as error:
        raise UserError(error.what, where=f"command line, {text}", fix=error.fix) from None
    if path[0] in _NOT_HERE:
        raise UserError(f"{path[0]!r} cannot be overridden", where=f"command line, {text}", fix=_NOT_HERE[path[0]])
    read_value = read(value, f"command line, {text}", place=lambda line: f"command line, {text}")
    return path, _from_command_line(read_value)


def apply_overrides(root: Located, texts: Sequence[str]) -> Located:
    """Lay ``key=value`` texts on a recipe.

    All are collected first: ``optimizer.lr=0.1 optimizer.type=SGD`` and the other order give the same.

    Raises:
        UserError: no ``=``, a path given twice, a list item that does not exist.
    """
    parsed: dict[Path, Located] = {}
    for text in texts:
        path, value = parse_override(text)
        if path in parsed:
            raise UserError(f"{join(path)} is given twice", where=COMMAND_LINE.text, fix="keep one of them")
        parsed[path] = value
    over = Located({}, COMMAND_LINE, partial=True)
    for path in sorted(parsed, key=len):
        root = _with_default(root, path)
        _check_items(root, path)
        single = parsed[path]
        for segment in reversed(path):
            single = Located({segment: single}, COMMAND_LINE, partial=True)
        over = _join_partial(over, single)
    return merge(root, over)


def _with_default(root: Located, path: Path) -> Located:
    """Put the default under a path that leads into a section on which the recipe is silent."""
    for section, value in BELOW_OVERRIDES.items():
        if path[: len(section)] == section and len(path) > len(section) and find(root, section) is None:
            above = find(root, section[:-1])
            if above is None or isinstance(above.value, dict):
                return put(root, section, locate(value, Origin("default")))
    return root


def _join_partial(first: Located, second: Located) -> Located:
    """Both changes in one mapping; a list that an earlier change gives is changed by a later one."""
    if isinstance(first.value, dict) and isinstance(second.value, dict):
        items = dict(first.value)
        for key, item in second.value.items():
            items[key] = _join_partial(items[key], item) if key in items else item
        return Located(items, COMMAND_LINE, partial=first.partial and second.partial)
    return merge(first, second)


def _check_items(root: Located, path: Path) -> None:
    for depth in range(len(path)):
        here = find(root, path[:depth])
        if here is None or not isinstance(here.value, list):
            continue
        segment, count = path[depth], len(here.value)
        number = index(segment)
        if number is None or number > count:
            known = [str(i) for i in range(count + 1)]
            raise UserError(
                f"{join(path[:depth])} is a list of {count} and has no item {segment!r}",
                where=f"command line, {join(path)}",
                fix=nearest(segment, known) if segment.isdecimal() else f"write {join((*path[:depth], 0, segment))}",
            )


def _from_command_line(located: Located) -> Located:
    if isinstance(located.value, dict):
        return Located({key: _from_command_line(item) for key, item in located.value.items()}, COMMAND_LINE)
    if isinstance(located.value, list):
        return Located([_from_command_line(item) for item in located.value], COMMAND_LINE)
    return Located(located.value, COMMAND_LINE)
