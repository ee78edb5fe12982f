"""What the page about masks at evaluation says runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tricklab.recipe import load
from tricklab.recipe.resolving import resolve, settings
from tricklab.tasks.mask_network import sliding_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mask-evaluation.md").read_text(encoding="utf-8")
BASE = {
    "task": "segmentation",
    "data": {"images": {"type": "SyntheticMasks"}, "crop": [32, 32]},
    "model": {
        "type": "EncoderDecoder",
        "backbone": {"type": "ResNetV1c", "depth": 18},
        "decode_head": {"type": "FCNHead", "channels": 8},
    },
}


def resolved(text: str) -> dict[str, object]:
    """The section of a recipe that says so; every key of it is as it was said."""
    said = yaml.safe_load(text)["evaluate"]
    recipe = resolve(load({**BASE, "evaluate": said}))
    assert (sliding_of(settings(recipe).evaluate) is None) == (said.get("method") != "slide")
    found: dict[str, object] = recipe.get("evaluate")
    for key in set(said) - {"postprocess"}:
        assert found[key] == said[key]
    return found


def test_the_windows_are_a_recipe() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert resolved(block)["blend"] == "hann"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_stands_beside_openmmlabs_configs_is_a_recipe(place: int) -> None:
    rows = re.findall(r"^\| `.*\| `(evaluate: \{.*\})`.*\|$", PAGE, re.MULTILINE)
    assert len(rows) == 3
    resolved(rows[place])


def test_the_example_in_python() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "mask-evaluation.md", "exec"), names)
    assert "both" in names
