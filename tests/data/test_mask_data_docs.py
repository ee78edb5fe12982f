"""The page about images with masks: its example runs, and it names every component."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tricklab.registry import entries

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mask-data.md").read_text(encoding="utf-8")


def test_the_example_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "mask-data.md", "exec"), names)
    batch = names["batch"]
    assert tuple(batch["image"].shape) == (2, 3, 32, 32)
    assert tuple(batch["target"].shape) == (2, 32, 32)


@pytest.mark.parametrize("kind", ["mask_layout", "pair_transform", "mask_batch_transform"])
def test_the_page_names_every_component(kind: str) -> None:
    own = [entry.name for entry in entries(kind) if entry.module.startswith("tricklab.")]
    assert own
    assert [name for name in own if f"`{name}`" not in PAGE] == []
