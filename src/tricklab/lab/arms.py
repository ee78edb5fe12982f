"""Arms: the named patches that an experiment compares with its baseline.

Written in a shell word, one arm (or one arm per level) each:

* ``+se``, ``"+se(reduction=8)"``, ``+se:reduction=8``: a trick;
* ``optimizer.lr=1e-4``: any key of the recipe, another model too (``model=PixelSVM``);
* ``optimizer.lr=1e-3|2e-4``: one arm per level; each is compared with the recipe's own value;
* ``"without se"``: the recipe without a trick that it lists;
* ``"slow: optimizer.lr=1e-4 +step_decay(at=[41, 76])"``: several changes under one name.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tricklab.errors import UserError

BASELINE = "baseline"
_NAMED = re.compile(r"^([A-Za-z][\w.-]*):\s+(\S.*)$", re.DOTALL)
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class Change:
    """One change of an arm: ``kind`` is trick, set, without (recipes), level (functions) or argument (commands)."""

    kind: str
    text: str
    value: Any = None

    def to_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"kind": self.kind, "text": self.text}
        return plain | {"value": self.value} if self.kind == "level" else plain


@dataclass(frozen=True)
class Arm:
    """A named patch. Arms of one ``factor`` are levels of one thing and never stand in one cell together."""

    name: str
    factor: str
    changes: tuple[Change, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "factor": self.factor, "changes": [change.to_dict() for change in self.changes]}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Arm:
        return cls(plain["name"], plain["factor"], tuple(Change(**change) for change in plain["changes"]))

    def texts(self, kind: str) -> list[str]:
        """The texts of this arm's changes of one kind, in the order they were written."""
        return [change.text for change in self.changes if change.kind == kind]


def parse_recipe_arms(texts: Sequence[str]) -> list[Arm]:
    """Arms of a recipe from what a user wrote, levels spread out; duplicates and empty ones are errors.

    >>> [arm.name for arm in parse_recipe_arms(["+se", "optimizer.lr=1e-3|2e-4", "without ema"])]
    ['+se', 'optimizer.lr=1e-3', 'optimizer.lr=2e-4', 'without ema']
    """
    arms: list[Arm] = []
    for text in texts:
        named = _NAMED.match(text.strip())
        if named:
            arms.append(Arm(named[1], named[1], tuple(_changes(named[2]))))
            continue
        changes = list(_changes(text))
        if len(changes) > 1:
            arms.append(Arm(" ".join(_shown(change) for change in changes), text.strip(), tuple(changes)))
        else:
            arms.extend(_levels(changes[0]))
    return distinct(arms)


def parse_command_arms(texts: Sequence[str]) -> list[Arm]:
    """Arms of a command line: what follows the plus sign takes the place of ``{args}``, level by level.

    >>> [arm.name for arm in parse_command_arms(["+lr=0.1|0.2", "+--flip --lr 3"])]
    ['lr=0.1', 'lr=0.2', '--flip --lr 3']
    """
    arms: list[Arm] = []
    for text in texts:
        bare = text.strip().removeprefix("+").strip()
        if not bare:
            raise UserError("an arm is empty", where=repr(text), fix="write what replaces {args}, for example +lr=0.1")
        arms.extend(_levels(Change("argument", bare)))
    for arm in arms:
        try:
            shlex.split(arm.changes[0].text)
        except ValueError as error:
            raise UserError(f"the arm cannot be cut into words: {error}", where=f"arm {arm.name!r}") from None
    return distinct(arms)


def parse_function_arms(factors: Mapping[str, Any]) -> list[Arm]:
    """Arms of a Python function: keyword names with a value or a list of values.

    >>> [arm.name for arm in parse_function_arms({"flip": True, "lr": [0.1, 0.2]})]
    ['flip=true', 'lr=0.1', 'lr=0.2']
    """
    arms = []
    for key, given in factors.items():
        levels = list(given) if isinstance(given, list | tuple | set | frozenset) else [given]
        if not levels:
            raise UserError("a factor has no levels", where=f"factors[{key!r}]", fix="give at least one value")
        for level in levels:
            try:
                shown = json.dumps(level, allow_nan=False)
            except (TypeError, ValueError):
                raise UserError(
                    f"the level {level!r} is neither a number, a string, a boolean, null nor a list or mapping of them",
                    where=f"factors[{key!r}]",
                    fix="pass a name and let the function look the object up",
                ) from None
            text = f"{key}={level if isinstance(level, str) else shown}"
            arms.append(Arm(text, key, (Change("level", key, level),)))
    return distinct(arms)


def distinct(arms: Iterable[Arm]) -> list[Arm]:
    """The arms as a list; refuses two of one name and none at all."""
    found: dict[str, Arm] = {}
    for arm in arms:
        if arm.name == BASELINE:
            raise UserError("an arm cannot be called baseline: that is the recipe itself", where=f"arm {arm.name!r}")
        if arm.name in found:
            raise UserError("two arms are the same", where=f"arm {arm.name!r}", fix="name it once")
        found[arm.name] = arm
    if not found:
        raise UserError("there is nothing to compare with the baseline", fix="name at least one arm, for example +se")
    return list(found.values())


def split(text: str, separator: str, *, empty: bool = False) -> list[str]:
    """``text`` cut at ``separator`` (a space means any white space), but not inside brackets or quotes.

    Args:
        empty: keep parts that hold nothing.

    >>> split("a(b|c)|'d|e'|f", "|")
    ['a(b|c)', "'d|e'", 'f']
    """
    parts, depth, quote, begin = [], 0, "", 0
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif depth == 0 and (character == separator or (separator == " " and character.isspace())):
            parts.append(text[begin:place])
            begin = place + 1
    parts.append(text[begin:])
    return [part.strip() for part in parts if empty or part.strip()]


def _changes(text: str) -> Iterable[Change]:
    words = split(text, " ")
    if not words:
        raise UserError("an arm is empty", where=repr(text), fix="write +trick, key=value or 'without trick'")
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "without":
            if position == len(words):
                raise UserError("'without' needs the name of a trick", where=f"arm {text!r}", fix="'without se'")
            yield Change("without", words[position].removeprefix("+"))
            position += 1
        elif word.startswith("+"):
            yield Change("trick", word)
        elif "=" in word and not word.startswith("="):
            yield Change("set", word)
        else:
            raise UserError(
                f"{word!r} is no arm", where=f"arm {text!r}", fix=f"write +{word}, {word}=value or 'without {word}'"
            )


def _shown(change: Change) -> str:
    return f"without {change.text}" if change.kind == "without" else change.text


def _levels(change: Change) -> list[Arm]:
    """One arm per level of ``key=a|b``; a change without levels is one arm."""
    key, equals, values = change.text.partition("=")
    if change.kind not in ("set", "argument") or not equals:
        return [Arm(_shown(change), _shown(change), (change,))]
    levels = split(values, "|", empty=True)
    if len(levels) > 1 and not all(levels):
        raise UserError("a level is empty", where=f"arm {change.text!r}", fix=f"write {key}=a|b, or quote the bar")
    return [Arm(f"{key}={level}", key, (Change(change.kind, f"{key}={level}"),)) for level in levels]
