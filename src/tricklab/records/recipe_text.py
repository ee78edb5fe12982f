"""The resolved recipe as YAML text that reads back as the same tree under YAML 1.1 and under YAML 1.2."""

from __future__ import annotations

import re
from typing import Any

import yaml

_PLAIN_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # the text '1e-3' is a string to YAML 1.1 and a number to 1.2: quote whatever is not a plain word
    style = None if _PLAIN_WORD.match(value) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _sequence(dumper: yaml.SafeDumper, value: list[Any] | tuple[Any, ...]) -> yaml.SequenceNode:
    flow = all(not isinstance(item, dict | list | tuple) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _sequence)
_Dumper.add_representer(tuple, _sequence)


def dump_recipe(tree: dict[str, Any]) -> str:
    """YAML text of a tree of plain data, keys in their order.

    Raises:
        TypeError: a value is not plain data.
    """
    try:
        return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    except yaml.representer.RepresenterError as error:
        raise TypeError(f"a recipe holds plain data only: {error}") from None


def load_recipe(text: str) -> dict[str, Any]:
    """The tree that ``dump_recipe`` wrote."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
