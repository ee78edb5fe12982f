"""What a class may be called with: the arguments of its own ``__init__``, and with ``**rest`` those of its base class.

A component whose ``__init__`` ends in ``**rest`` names its own arguments alone and hands the others on::

    class FCNHead(DecodeHead):
        def __init__(self, num_convs: int = 2, **rest: Any) -> None:
            super().__init__(**rest)

An argument that both name is the derived class's: its type, its default, its line under ``Args``.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tricklab.errors import UserError

_SWALLOWING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
Entry = tuple[list[str], list[str]]


@dataclass(frozen=True)
class Argument:
    """One argument: how it is declared, and by which ``__init__`` or function of which module."""

    parameter: inspect.Parameter
    owner: Callable[..., Any]
    module: str


def takes(target: Any) -> list[type]:
    """The classes whose ``__init__`` name a class's arguments: the nearest one, and while they end in ``**rest``, the
    next in line of its bases. The first alone where that line does not end: then nobody names what ``**rest`` may hold.
    """
    line = [cls for cls in target.__mro__ if "__init__" in vars(cls) and cls is not object]
    for place, cls in enumerate(line):
        kinds = {parameter.kind for parameter in _own(cls)}
        if not kinds & set(_SWALLOWING):
            return line[: place + 1]
        if inspect.Parameter.VAR_POSITIONAL in kinds:
            break
    return line[:1]


def arguments(target: Any, fixed: Callable[[type], Sequence[str]] = lambda cls: ()) -> dict[str, Argument]:
    """The arguments of a class or function by name, in the order of its signature; those of bases by keyword alone.

    Args:
        target: what is called.
        fixed: what a class sets itself of the arguments of its bases, so that they are none of its own.

    Raises:
        UserError: ``fixed`` names what no base has.
    """
    if not inspect.isclass(target):
        return {key: Argument(p, target, target.__module__) for key, p in inspect.signature(target).parameters.items()}
    line, found, left_out = takes(target), {}, set[str]()
    for place, cls in enumerate(line):
        for parameter in _own(cls):
            if parameter.name in found or parameter.name in left_out:
                continue
            if place < len(line) - 1 and parameter.kind is parameter.VAR_KEYWORD:
                continue
            if place:
                parameter = parameter.replace(kind=parameter.KEYWORD_ONLY)
            found[parameter.name] = Argument(parameter, vars(cls)["__init__"], cls.__module__)
        unknown = set(fixed(cls)) - {parameter.name for base in line[place + 1 :] for parameter in _own(base)}
        if unknown:
            raise UserError(
                f"no base class has what it calls fixed: {', '.join(sorted(unknown))}", where=cls.__qualname__
            )
        left_out |= set(fixed(cls))
    return found


def hints(found: dict[str, Argument]) -> dict[str, Any]:
    """The evaluated type of each argument, each in the module that names it.

    Raises:
        NameError: one is known to the type checker alone.
    """
    evaluated: dict[str, Any] = {}
    for key, argument in found.items():
        holder: Any = types.SimpleNamespace(__annotations__={key: argument.owner.__annotations__[key]})
        space = vars(sys.modules[argument.module])
        evaluated |= typing.get_type_hints(holder, space, include_extras=True)
    return evaluated


def show_all(cls: Any, found: dict[str, Argument]) -> None:
    """Let ``help`` and ``inspect.signature`` show a class with all its arguments, and ``Args`` say what each is."""
    line = takes(cls) if inspect.isclass(cls) else []
    if len(line) < 2:
        return
    init = vars(line[0])["__init__"]
    itself = next(iter(inspect.signature(init).parameters.values()))
    ordered = sorted((argument.parameter for argument in found.values()), key=lambda parameter: parameter.kind)
    init.__signature__ = inspect.Signature([itself, *ordered], return_annotation=None)
    if cls.__doc__:
        known = {name for names, _ in _described(cls) for name in names}
        missing = []
        for base in (base for base in line if base is not cls):
            for names, text in _described(base):
                wanted = [name for name in names if name in found and name not in known]
                known |= set(wanted)
                missing += [(wanted, text)] if wanted else []
        cls.__doc__ = _with_arguments(inspect.cleandoc(cls.__doc__), missing)


@functools.cache
def _own(cls: type) -> list[inspect.Parameter]:
    """The parameters of a class's own ``__init__`` as they are written: kept from before ``show_all`` shows others."""
    return list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]


def _described(cls: type) -> Iterator[Entry]:
    """(names, lines) of what a class's own docstring says under ``Args``."""
    lines = inspect.cleandoc(vars(cls).get("__doc__") or "").split("\n")
    begin, end = _arguments_section(lines)
    entry: Entry | None = None
    for line in lines[begin:end]:
        start = re.match(r"    (\w+(?:, \w+)*):( |$)", line)
        if start:
            if entry:
                yield entry
            entry = (start[1].split(", "), [line[start.end(1) + 1 :]])
        elif entry:
            entry[1].append(line)
    if entry:
        yield entry


def _arguments_section(lines: list[str]) -> tuple[int, int]:
    """Where the lines under ``Args:`` begin and end; without any, where they would stand: before another section."""
    if "Args:" in lines:
        begin = lines.index("Args:") + 1
        inside = (number for number in range(begin, len(lines)) if not lines[number].startswith("    "))
        return begin, next(inside, len(lines))
    others = (number for number, line in enumerate(lines) if re.match(r"\w+:$|>>> ", line))
    place = next(others, len(lines))
    return place, place


def _with_arguments(doc: str, missing: Sequence[Entry]) -> str:
    if not missing:
        return doc
    lines = doc.split("\n")
    begin, end = _arguments_section(lines)
    added = [line for names, (first, *more) in missing for line in (f"    {', '.join(names)}:{first}", *more)]
    if "Args:" not in lines:
        added = [*([] if begin < len(lines) else [""]), "Args:", *added, *([""] if begin < len(lines) else [])]
    return "\n".join([*lines[:end], *added, *lines[end:]])


def first_error(errors: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> tuple[list[Any], Mapping[str, Any]]:
    """The first of pydantic's errors and the keys to its place, without the names of a union's members.

    A union has an error for each of its members; that of the member that fits furthest is taken.

    Args:
        errors: not empty.
        given: what was validated.

    >>> one, other = ("size", "tuple[int, int]"), ("size", "dict[str, int]", "long")
    >>> first_error([{"loc": loc, "type": "int_type"} for loc in (one, other)], {"size": {"long": "a"}})[0]
    ['size', 'long']
    """
    same = [error for error in errors if error["loc"][0] == errors[0]["loc"][0]]
    found = [(_keys_to(error, given), error) for error in same]
    return max(found, key=lambda pair: len(pair[0]))


def _keys_to(error: Mapping[str, Any], value: Any) -> list[Any]:
    keys, last = [], error["loc"][-1]
    for key in error["loc"]:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            continue
        keys.append(key)
    return [*keys, last] if error["type"] == "missing" else keys
