"""YAML text to located data: PyYAML's parser, our own meaning. Nothing but plain data comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yaml import MappingNode, Node, ScalarNode, SequenceNode, YAMLError
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from tricklab.errors import UserError
from tricklab.recipe.located import Located, Origin
from tricklab.recipe.scalars import core_scalar

_PLAIN = "plain"  # our own tag for a scalar without quotes and without an explicit tag
_STANDARD = "tag:yaml.org,2002:"
_MOST_NODES = 20_000  # aliases may multiply; a real recipe has a few hundred
_TYPED: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}


class _Nodes(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML's reader without its YAML 1.1 meanings and without any constructor."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> str:
        if kind is ScalarNode:
            return _PLAIN if implicit[0] else _STANDARD + "str"
        return _STANDARD + ("seq" if kind is SequenceNode else "map")


def read(text: str, name: str, place: Callable[[int], str] | None = None) -> Located:
    """Parse one YAML document.

    Args:
        text: the document.
        name: what to call it in errors and origins, usually the file.
        place: the origin's text for a line (from 1); ``name:line`` if not given.

    Raises:
        UserError: not YAML, more than one document, a duplicate key, a merge key, a foreign tag, a circle of aliases.
    """
    at = place or (lambda line: f"{name}:{line}")
    try:
        node = _Nodes(text).get_single_node()
        return _Reading(at).value(node) if node is not None else Located(None, Origin(at(1)))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        context = getattr(error, "context", None)
        raise UserError(
            f"not readable as YAML: {f'{context}, ' if context else ''}{problem}",
            where=at(mark.line + 1) if mark else name,
            fix=_cure(problem, context or ""),
        ) from None
    except RecursionError:
        raise UserError("nested too deeply", where=name) from None


class _Reading:
    def __init__(self, at: Callable[[int], str]) -> None:
        self.at = at
        self.open: set[int] = set()
        self.nodes = 0

    def value(self, node: Node) -> Located:
        self.nodes += 1
        origin = Origin(self.at(node.start_mark.line + 1))
        if self.nodes > _MOST_NODES:
            raise UserError(f"more than {_MOST_NODES} values; do aliases multiply?", where=origin.text)
        if id(node) in self.open:
            raise UserError("an alias stands inside its own anchor", where=origin.text)
        if isinstance(node, ScalarNode):
            return Located(_scalar(node, origin.text), origin)
        self._expect(node, "seq" if isinstance(node, SequenceNode) else "map", origin.text)
        self.open.add(id(node))
        value = self._list(node) if isinstance(node, SequenceNode) else self._mapping(node)
        self.open.discard(id(node))
        return Located(value, origin)

    def _list(self, node: SequenceNode) -> list[Located]:
        return [self.value(item) for item in node.value]

    def _mapping(self, node: Node) -> dict[str | int, Located]:
        assert isinstance(node, MappingNode)
        items: dict[str | int, Located] = {}
        lines: dict[str, int] = {}
        for key_node, item in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise UserError("a key must be text or a whole number", where=self.at(line))
            key = _scalar(key_node, self.at(line))
            if key == "<<" and key_node.tag == _PLAIN:
                raise UserError("merge keys '<<' are not part of YAML 1.2", where=self.at(line), fix="use base:")
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise UserError(f"a key must be text or a whole number, not {key!r}", where=self.at(line))
            if str(key) in lines:
                raise UserError(f"the key {key!r} stands twice, first in line {lines[str(key)]}", where=self.at(line))
            lines[str(key)] = line
            inner = self.value(item)
            # the key's line is what a reader looks for, also where the value begins on the next line
            items[key] = Located(inner.value, Origin(self.at(line)))
        return items

    def _expect(self, node: Node, kind: str, where: str) -> None:
        if node.tag != _STANDARD + kind:
            raise UserError(f"the tag {_short(node.tag)} is not allowed; a recipe is plain data", where=where)


def _scalar(node: ScalarNode, where: str) -> Any:
    if node.tag == _STANDARD + "str":
        return node.value
    kind = node.tag.removeprefix(_STANDARD)
    if node.tag != _PLAIN and kind not in _TYPED:
        raise UserError(f"the tag {_short(node.tag)} is not allowed; a recipe is plain data", where=where)
    try:
        value = core_scalar(node.value)
    except ValueError as error:
        raise UserError(f"not a number: {error}", where=where) from None
    if node.tag == _PLAIN:
        return value
    if type(value) not in _TYPED[kind]:
        raise UserError(f"{node.value!r} is not of the type that the tag {_short(node.tag)} says", where=where)
    return float(value) if kind == "float" else value  # type: ignore[arg-type]


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_STANDARD) if tag.startswith(_STANDARD) else tag


def _cure(problem: str, context: str) -> str | None:
    if "'\\t'" in problem:
        return "indent with spaces, not tabs"
    if "mapping values are not allowed" in problem:
        return "quote a text that holds ': '"
    if "flow sequence" in context:
        return "quote an item that holds brackets or commas, or write one item a line"
    return None
