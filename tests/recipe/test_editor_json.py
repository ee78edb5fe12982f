"""The JSON Schema for editors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tricklab.recipe import editor_schema, load, resolve, shipped


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return editor_schema(["ema", "se"])


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(schema) if isinstance(node.get("$ref"), str)}
    assert "#/$defs/kind_model" in references
    assert all(reference.removeprefix("#/$defs/") in schema["$defs"] for reference in references)
    assert not any("x-kind" in node for node in nodes(schema["properties"]))
    json.dumps(schema)


def test_components_are_in_it(schema: dict[str, Any]) -> None:
    models = {option["properties"]["type"]["const"]: option for option in schema["$defs"]["kind_model"]["anyOf"][:-1]}
    assert models["HybridSN"]["properties"]["dropout"]["default"] == 0.4
    assert models["HybridSN"]["additionalProperties"] is False
    assert models["HybridSN"]["properties"]["insert"]["items"] == {"$ref": "#/$defs/kind_block"}
    assert "HybridSN" in schema["$defs"]["kind_model"]["anyOf"][-1]["enum"]
    blocks = schema["$defs"]["kind_block"]["anyOf"]
    assert "after" in blocks[0]["required"]
    assert schema["$defs"]["data_hyperspectral"]["properties"]["scene"]["$ref"] == "#/$defs/kind_scene"
    assert schema["$defs"]["Evaluate"]["properties"]["averaging"]["anyOf"][1] == {"type": "null"}


def test_every_key_of_the_shipped_recipes_is_known_to_it(schema: dict[str, Any]) -> None:
    for name in shipped():
        tree = load(name).tree
        assert set(tree) <= set(schema["properties"])
        assert set(tree["data"]) <= set(schema["$defs"][f"data_{tree['task']}"]["properties"])
        assert set(resolve(load(name)).tree["train"]) <= set(schema["$defs"]["Train"]["properties"])


def test_trick_items(schema: dict[str, Any]) -> None:
    pattern = schema["properties"]["tricks"]["items"]["anyOf"][0]["pattern"]
    assert all(re.match(pattern, text) for text in ("+ema", "se(reduction=8)", "+ema:decay=0.9"))
    assert not any(re.match(pattern, text) for text in ("+emma", "sea", "ema decay"))
