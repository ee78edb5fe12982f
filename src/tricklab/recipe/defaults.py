"""Defaults of keys that hold components: what ``losses.0.weight=2`` changes where a recipe has no ``losses``."""

from __future__ import annotations

from typing import Any

LOSSES: list[dict[str, Any]] = [{"type": "CrossEntropyLoss", "on": "main"}]
OPTIMIZER: dict[str, Any] = {"type": "Adam"}
BELOW_OVERRIDES: dict[tuple[str, ...], Any] = {
    ("losses",): LOSSES,
    ("optimizer",): OPTIMIZER,
    ("schedule",): [],
    ("model", "insert"): [],
    ("train", "freeze"): [],
    ("evaluate", "postprocess"): [],
    ("log", "loggers"): [],
}

# where a task's own defaults differ from those of the schema
OF_TASK: dict[str, dict[tuple[str, str], Any]] = {
    "segmentation": {
        ("train", "batch_size"): 8,
        ("evaluate", "method"): "whole",
        ("evaluate", "batch_size"): 8,
        ("metric", "monitor"): "val/miou",
    },
}
