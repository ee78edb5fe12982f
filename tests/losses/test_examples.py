"""The examples in the docstrings of this room run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import tricklab.losses as room
from tricklab import registry

MODULES = [found.name for found in pkgutil.walk_packages(room.__path__, room.__name__ + ".")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "losses.md").read_text(encoding="utf-8")


def test_the_page_about_losses_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "losses.md", "exec"), names)
    assert list(names["terms"]) == ["CrossEntropyLoss.main", "DiceLoss.main"]  # type: ignore[call-overload]


@pytest.mark.parametrize("name", [entry.name for entry in registry.entries("loss") if entry.name != "DistillationLoss"])
def test_the_page_names_every_loss_and_its_keys(name: str) -> None:
    (row,) = re.findall(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
    shared = {
        "type",
        "on",
        "weight",
        "name",
        "class_weight",
        "beta",
        "ignore_index",
        "sampler",
        "per_image",
        "use_sigmoid",
    }
    for key in set(registry.schema("loss", name)["properties"]) - shared:
        assert f"`{key}`" in row or (key == "classes" and "as above" in row), key
