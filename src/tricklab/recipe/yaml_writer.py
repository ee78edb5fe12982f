"""Plain data to YAML that our own reader, and a YAML 1.1 reader, take for the same values."""

from __future__ import annotations

from typing import Any

import yaml

from tricklab.recipe.scalars import core_scalar


class _Writer(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _text(writer: _Writer, value: str) -> yaml.ScalarNode:
    # 1e-3 is text to PyYAML's resolver and a number to ours: quote whatever either would not take for text
    ambiguous = not isinstance(core_scalar(value), str) if len(value) < 4000 else False
    style = '"' if not value.isprintable() else "'" if ambiguous else None
    return writer.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(writer: _Writer, value: list[Any]) -> yaml.SequenceNode:
    flat = all(not isinstance(item, dict | list) for item in value)
    return writer.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flat)


_Writer.add_representer(str, _text)
_Writer.add_representer(list, _list)


def write(tree: dict[str, Any]) -> str:
    """YAML text of plain data, keys in their order, short lists on one line."""
    return yaml.dump(tree, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False)
