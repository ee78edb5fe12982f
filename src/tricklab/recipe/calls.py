"""Trick calls as data: ``+se(reduction=8)``, ``+se:reduction=8``, ``{se: {reduction: 8}}``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tricklab.errors import UserError
from tricklab.recipe.located import Located, Origin, plain
from tricklab.recipe.scalars import core_scalar

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SPELLING = "write +name, +name(key=value, key=value) or +name:key=value,key=value"
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class TrickCall:
    """A trick by name with its arguments.

    ``after`` names tricks whose written values this one may change; ``tricks.apply`` moves it there from the argument
    ``after=`` (``after_trick=`` where the trick has a parameter ``after`` of its own).
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    origin: Origin = field(default=Origin("in Python"), compare=False)

    @property
    def text(self) -> str:
        """The canonical spelling, which ``parse`` reads back: ``+se(reduction=8)``."""
        shown = [f"{key}={_spell(value)}" for key, value in self.arguments.items()]
        if self.after:
            shown.append(f"{'after_trick' if 'after' in self.arguments else 'after'}={_spell(list(self.after))}")
        return f"+{self.name}({', '.join(shown)})" if shown else f"+{self.name}"

    def __str__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        return hash(self.text)


def parse(text: str, origin: Origin | None = None) -> TrickCall:
    """A trick call from its text.

    Args:
        text: ``se``, ``+se``, ``+se(reduction=8)`` or ``+se:reduction=8,after=conv2d``. Values mean what they
            would mean in a recipe file.
        origin: where the text stands.

    Raises:
        UserError: not one of these spellings, an argument without a name or given twice.

    >>> parse("+step_decay(at=[41, 76])").arguments
    {'at': [41, 76]}
    >>> parse("+ema:decay=0.99,warmup=false").text
    '+ema(decay=0.99, warmup=false)'
    """
    from tricklab.recipe.yaml_nodes import read

    origin = origin or Origin("command line")
    where = f"{origin}, {text}"
    body = text.strip().removeprefix("+").strip()
    match = _NAME.match(body)
    if match is None:
        raise UserError(f"{text!r} is not a trick", where=origin.text, fix=_SPELLING)
    name, rest = match[0], body[match.end() :].strip()
    if rest.startswith("("):
        if not rest.endswith(")"):
            raise UserError(
                f"{text!r} has no closing parenthesis",
                where=origin.text,
                fix="quote a trick on the command line and inside [ ], or write each trick on a line of its own",
            )
        rest = rest[1:-1]
    elif rest.startswith(":"):
        rest = rest[1:]
    elif rest:
        raise UserError(f"{text!r} is not a trick", where=origin.text, fix=_SPELLING)
    arguments: dict[str, Any] = {}
    for part in _parts(rest, where):
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or not _NAME.fullmatch(key):
            raise UserError(f"the argument {part.strip()!r} has no name", where=where, fix="write it as key=value")
        if key in arguments:
            raise UserError(f"the argument {key!r} stands twice", where=where)
        arguments[key] = plain(read(value.strip(), where, place=lambda line: where))
    return TrickCall(name, arguments, (), origin)


def from_item(item: Located) -> TrickCall:
    """A trick call from an item of a recipe's ``tricks:`` list."""
    where = item.origin.text
    if isinstance(item.value, str):
        return parse(item.value, item.origin)
    if isinstance(item.value, dict) and len(item.value) == 1:
        ((name, arguments),) = item.value.items()
        values = plain(arguments)
        name = str(name).removeprefix("+")
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r} is not a trick", where=where, fix=_SPELLING)
        if values is None:
            return TrickCall(name, {}, (), item.origin)
        if isinstance(values, dict):
            return TrickCall(name, {str(key): value for key, value in values.items()}, (), item.origin)
    raise UserError(
        f"{plain(item)!r} is not a trick",
        where=where,
        fix="write one trick a line: - +se(reduction=8), or - se: {reduction: 8}",
    )


def _parts(text: str, where: str) -> list[str]:
    """The text cut at commas outside brackets and quotes."""
    parts, depth, quote, start, escaped = [], 0, "", 0, False
    for position, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quote:
            escaped = letter == "\\" and quote == '"'
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
            if depth < 0:
                break
        elif letter == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    if depth or quote:
        raise UserError("brackets or quotes are not balanced", where=where, fix=_SPELLING)
    parts.append(text[start:])
    return [part for part in parts if part.strip()]


def _spell(value: Any) -> str:
    """A value in YAML's flow style on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_spell(key)}: {_spell(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_spell, value)) + "]"
    if isinstance(value, float):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", value) and not _looks_typed(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _looks_typed(text: str) -> bool:
    return not isinstance(core_scalar(text), str)
