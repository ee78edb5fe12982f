"""The examples of the documents run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tricks.arguments import own_tricks
from tricklab import tricks
from tricklab.recipe import load
from tricklab.tricks._base import REGISTERED

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


def test_the_example_of_a_trick_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(blocks("tricks.md")[0])
    (tmp_path / "mine.yaml").write_text("base: demo\nimports: [mine.py]\ntricks: [channel_scale]\n")
    try:
        applied = tricks.apply(load(tmp_path / "mine.yaml"))
        assert applied.recipe.get("model.insert.0") == {"type": "ChannelScale", "after": "conv2d", "start": 1.0}
        assert [when for _, when, _ in tricks.probes(applied.calls)] == ["first_steps"]
    finally:
        REGISTERED.pop("channel_scale", None)


def test_the_example_in_python() -> None:
    names: dict[str, object] = {}
    exec(compile(blocks("recipes.md")[0], "recipes.md", "exec"), names)
    assert isinstance(names["applied"], tricks.Applied)
    assert names["applied"].recipe.get("optimizer.lr") == 1e-4


@pytest.mark.parametrize("name", [trick.name for trick in own_tricks()])
def test_the_catalogue_page_names_every_trick(name: str) -> None:
    text = (DOCS / "tricks.md").read_text(encoding="utf-8")
    assert re.search(rf"`{name}[`(]", text), f"docs/tricks.md does not mention {name}"
