"""Tiny runs of image classification that teach and learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tricklab.recipe import load, resolve
from tricklab.records import RunFolder

TINY: dict[str, Any] = {
    "task": "classification",
    "data": {
        "images": {"type": "SyntheticImages", "classes": 3, "per_class": 20, "size": 24},
        "size": 24,
        "split": {"type": "Stratified", "train": 0.5, "val": 0.25, "test": 0.25},
    },
    "model": {"type": "timm", "name": "test_resnet"},
    "train": {"epochs": 2, "batch_size": 8, "log_every": {"iterations": 1}, "checkpoint_every": {"iterations": 1}},
    "metric": {"monitor": "val/accuracy"},
}


def declared(folder: Path, *overrides: str, block: int = 0, **sections: Any) -> RunFolder:
    """A run folder of the tiny recipe, not executed."""
    recipe = resolve(load({**TINY, **sections}, list(overrides)))
    return RunFolder.create(folder, recipe=recipe.tree, block=block, arm="arm", experiment="tiny", tricks=[])


def taught_by(teacher: dict[str, Any], **keys: Any) -> list[dict[str, Any]]:
    """Losses that learn from a teacher."""
    return [
        {"type": "CrossEntropyLoss", "weight": 0.5},
        {"type": "DistillationLoss", "weight": 0.5, "teacher": teacher, **keys},
    ]
