"""JSON Schema of a whole recipe, all known components included, for completion and checks in editors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tricklab import registry
from tricklab.recipe.components import MANY, ONE
from tricklab.recipe.schema import Settings


def editor_schema(trick_names: Sequence[str] = ()) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a recipe file.

    Args:
        trick_names: names to offer under ``tricks``.

    Components are imported to read their signatures, so this needs torch.
    """
    schema = Settings.model_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    for kind in registry.FOLDERS:
        if kind not in ("data", "task"):
            definitions[f"kind_{kind}"] = _any_of(kind, definitions)
    for path in (path for path in (*ONE, *MANY) if path != ("model", "insert")):
        _refer(schema, definitions, path)
    _data(schema, definitions)
    schema["properties"] |= {
        "base": {"type": "string", "description": "a recipe file beside this one, or the name of a shipped recipe"},
        "tricks": _tricks(trick_names),
    }
    schema["required"] = []  # a base may bring them
    schema["title"] = "tricklab recipe"
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema


def _any_of(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    entries = registry.entries(kind)
    options = [_component(kind, entry.name, definitions) | {"description": entry.summary} for entry in entries]
    bare_name = {"type": "string", "enum": [entry.name for entry in entries]}
    return {"anyOf": [*options, bare_name]}


def _component(kind: str, name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    found = registry.schema(kind, name)
    definitions |= found.pop("$defs", {})
    if kind == "model":
        found["properties"]["insert"] = {"type": "array", "items": {"$ref": "#/$defs/kind_block"}}
    if kind == "block":
        found["properties"]["after"] = {"type": "string", "description": "the module that it stands after"}
        found["required"] = [*found["required"], "after"]
    for key, hint in found["properties"].items():
        if "x-kind" in hint:
            found["properties"][key] = _reference(hint)
    return found


def _reference(hint: dict[str, Any]) -> dict[str, Any]:
    reference: dict[str, Any] = {"$ref": f"#/$defs/kind_{hint['x-kind']}"}
    if hint.get("x-list"):
        reference = {"type": "array", "items": reference}
    if {"type": "null"} in hint.get("anyOf", []):
        reference = {"anyOf": [reference, {"type": "null"}]}
    return reference | {key: hint[key] for key in ("default", "description") if key in hint}


def _refer(schema: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]) -> None:
    section = schema if len(path) == 1 else definitions[path[0].capitalize()]
    section["properties"][path[-1]] = _reference(section["properties"][path[-1]])


def _data(schema: dict[str, Any], definitions: dict[str, Any]) -> None:
    """The keys of ``data`` depend on the task."""
    names = [entry.name for entry in registry.entries("data")]
    schema["properties"]["task"] = {"enum": names, "description": "what is learned from what"}
    cases = []
    for name in names:
        found = _component("data", name, definitions)
        del found["properties"]["type"]
        found["required"] = []
        definitions[f"data_{name}"] = found
        then = {"properties": {"data": {"$ref": f"#/$defs/data_{name}"}}}
        cases.append({"if": {"properties": {"task": {"const": name}}}, "then": then})
    schema["allOf"] = cases


def _tricks(names: Sequence[str]) -> dict[str, Any]:
    choice = "|".join(names) or "[A-Za-z_][A-Za-z0-9_-]*"
    text = {"type": "string", "pattern": rf"^\+?({choice})([(:].*)?$"}
    calls = {
        "type": "object",
        "maxProperties": 1,
        "patternProperties": {rf"^\+?({choice})$": {"type": ["object", "null"]}},
    }
    return {"type": "array", "items": {"anyOf": [text, calls | {"additionalProperties": False}]}}
