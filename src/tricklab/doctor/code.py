"""The Python code inside a text: a log, a web page, a notebook's export. Prose around it is no obstacle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

_NAME = re.compile(r"(?<![A-Za-z0-9_.])(def\s+)?([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)[ \t]?\(")
_SCOPE = re.compile(r"^([ \t]*)(class|def)\s+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)
_NUMBER = re.compile(
    r"^[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*([-+]?[0-9][0-9_.]*(?:e[-+]?[0-9]+)?)[ \t]*(?:#.*)?$", re.M
)
_TRIPLE = r"\[\s*([0-9.eE+-]+)\s*,\s*([0-9.eE+-]+)\s*,\s*([0-9.eE+-]+)\s*\]"
_TWO_TRIPLES = re.compile(rf"^\s*\(?\s*{_TRIPLE}\s*,?\s*{_TRIPLE}\s*\)?\s*$", re.MULTILINE)
_PROGRAM = re.compile(
    r"^[ \t]*(?:import [A-Za-z_]|from [A-Za-z_.]+ import |def [A-Za-z_]\w*\(|class [A-Za-z_]\w*[(:]"
    r"|[A-Za-z_][\w.]*[ \t]*=[ \t]*[A-Za-z_][\w.]*\()",
    re.MULTILINE,
)
_LONGEST = 4000


@dataclass(frozen=True)
class Call:
    """A call, or the head of a function's definition.

    Args:
        name: as written, dots included.
        line: from 1.
        node: the arguments as parsed; of a definition, its parameters with defaults as keywords.
        defines: whether it is a definition.
        within: names of the classes and functions around it, outermost first.
    """

    name: str
    line: int
    node: ast.Call
    defines: bool = False
    within: tuple[str, ...] = ()

    @property
    def last(self) -> str:
        """The name behind the last dot."""
        return self.name.rsplit(".", 1)[-1]

    def argument(self, key: str, place: int | None = None) -> Any:
        """The plain value of an argument by keyword, or by position; None if it is absent or no literal."""
        for keyword in self.node.keywords:
            if keyword.arg == key:
                return _literal(keyword.value)
        if place is not None and not self.defines and place < len(self.node.args):
            return _literal(self.node.args[place])
        return None

    def has(self, key: str) -> bool:
        """Whether an argument is given by keyword."""
        return any(keyword.arg == key for keyword in self.node.keywords)

    def steps(self) -> list[str]:
        """Names of the calls in a list that is the first argument, such as the transforms of a Compose, in order."""
        first = self.node.args[0] if self.node.args else None
        items = first.elts if isinstance(first, ast.List | ast.Tuple) else []
        return [ast.unparse(item.func).rsplit(".", 1)[-1] for item in items if isinstance(item, ast.Call)]


@dataclass(frozen=True)
class Code:
    """What a text shows of a program.

    Args:
        text: the whole text.
    """

    text: str
    _scopes: list[tuple[int, int, str]] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        self._scopes.extend((m.start(), len(m[1].expandtabs()), m[3]) for m in _SCOPE.finditer(self.text))

    @property
    def found(self) -> bool:
        """Whether the text shows any program at all: an import, a definition, or a call whose result gets a name."""
        return _PROGRAM.search(self.text) is not None

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Every call that can be parsed, in the order of the text."""
        return tuple(self._find_calls())

    def named(self, *names: str) -> list[Call]:
        """The calls whose name behind the last dot is one of these; no definitions."""
        return [call for call in self.calls if call.last in names and not call.defines]

    @cached_property
    def numbers(self) -> dict[str, float]:
        """Names that a number is assigned to on a line of its own; the last one wins."""
        found: dict[str, float] = {}
        for match in _NUMBER.finditer(self.text):
            try:
                found[match[1]] = float(match[2].replace("_", ""))
            except ValueError:
                continue
        return found

    def line_of(self, position: int) -> int:
        """Line number, from 1, of a place in the text."""
        return self.text.count("\n", 0, position) + 1

    def statistics(self) -> tuple[int, tuple[float, ...], tuple[float, ...]] | None:
        """Line, means and deviations of a printed pair of three numbers between 0 and 1."""
        for match in _TWO_TRIPLES.finditer(self.text):
            try:
                values = [float(one) for one in match.groups()]
            except ValueError:
                continue
            if all(0 <= value <= 1 for value in values):
                return self.line_of(match.start(1)), tuple(values[:3]), tuple(values[3:])
        return None

    def _find_calls(self) -> Iterator[Call]:
        for match in _NAME.finditer(self.text):
            inner = _bracketed(self.text, match.end())
            if inner is None:
                continue
            defines = match[1] is not None
            node = _parsed(inner, defines)
            if node is not None:
                line, within = self.line_of(match.start(2)), self._around(match.start())
                yield Call(match[2], line, node, defines, within)

    def _around(self, position: int) -> tuple[str, ...]:
        """Names of the enclosing scopes by indentation, as far as the text has kept it."""
        start = self.text.rfind("\n", 0, position) + 1
        row = self.text[start:position].expandtabs()
        indent = len(row) - len(row.lstrip())
        names: list[str] = []
        for begin, depth, name in reversed(self._scopes):
            if begin < start and depth < indent:
                # a line further out, other than a closing bracket, has ended what began above it
                if re.search(rf"\n[ \t]{{0,{depth}}}[^\s)\]}}]", self.text[begin + 1 : start]):
                    break
                names.append(name)
                indent = depth
        return tuple(reversed(names))


def _bracketed(text: str, start: int) -> str | None:
    """What stands between a bracket that was opened before ``start`` and its partner."""
    depth, quote, place = 1, "", start
    end = min(len(text), start + _LONGEST)
    while place < end:
        sign = text[place]
        if quote:
            if sign == "\\":
                place += 1
            elif sign == quote or sign == "\n":
                quote = ""
        elif sign in "'\"":
            quote = sign
        elif sign == "#":
            place = text.find("\n", place)
            if place < 0:
                return None
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
            if not depth:
                return text[start:place]
        place += 1
    return None


def _parsed(inner: str, defines: bool) -> ast.Call | None:
    try:
        if not defines:
            found = ast.parse(f"f(\n{inner}\n)", mode="eval").body
            return found if isinstance(found, ast.Call) else None
        (function,) = ast.parse(f"def f(\n{inner}\n): pass").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    pairs = [*zip(plain[len(plain) - len(given.defaults) :], given.defaults, strict=True)]
    pairs += [(one, default) for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default]
    keywords = [ast.keyword(arg=one.arg, value=default) for one, default in pairs]
    return ast.Call(func=ast.Name(id="f"), args=[], keywords=keywords)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None
