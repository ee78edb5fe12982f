"""Tiny runs on a synthetic scene; whatever a run needs of torch is imported when a test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tricklab import tricks
from tricklab.recipe import load
from tricklab.records import RunFolder

MakeRun = Callable[..., RunFolder]
# what depends on the clock and the machine; everything else in a row must repeat bit for bit
MEASURED = ("wall_s", "eta_s", "time", "data_time", "memory_mb")


def tiny_recipe() -> dict[str, Any]:
    """HybridSN on 9 × 9 windows: 8 steps an epoch, some hundredths of a second each."""
    return {
        "task": "hyperspectral",
        "data": {
            "scene": {"type": "SyntheticScene", "height": 32, "width": 32, "bands": 20, "classes": 4},
            "pca": 13,
            "window": 9,
            "split": {"type": "RandomPixels", "train": 0.15, "val": 0.15},
        },
        "model": {"type": "HybridSN"},
        "train": {"epochs": 2, "batch_size": 16, "log_every": {"iterations": 3}},
    }


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """``make_run("arm", ["train.epochs=1"], ["+se"])`` declares a run in ``<tmp>/experiment/<arm>/<block>``."""

    def make(
        arm: str = "base",
        overrides: Sequence[str] = (),
        calls: Sequence[str] = (),
        *,
        block: int = 0,
        observers: list[dict[str, Any]] | None = None,
        fit_from: str | None = None,
        tree: dict[str, Any] | None = None,
    ) -> RunFolder:
        applied = tricks.apply(load(tree or tiny_recipe(), list(overrides), list(calls)))
        declared = [
            {"name": call.name, "arguments": call.arguments, "writes": applied.writes[i]}
            for i, call in enumerate(applied.calls)
        ]
        return RunFolder.create(
            tmp_path / "experiment" / arm / str(block),
            recipe=applied.recipe.tree,
            block=block,
            arm=arm,
            experiment="experiment",
            tricks=declared,
            observers=observers,
            fit_from=fit_from,
        )

    return make


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what the clock and the machine say."""
    return [{key: value for key, value in row.items() if key not in MEASURED} for row in rows]
