"""The part of ``tricklab doctor`` that looks at a recipe and its data before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def evidence_before_training(target: str, changes: list[str], data: Path | None, block: int) -> Any:
    """What can be known of a recipe and its data: the facts that training would record first.

    Where the data cannot be made ready, images are looked at all the same, and the reason is the fact ``data/refused``.

    Raises:
        UserError: the recipe is wrong, or its data cannot be read at all.
    """
    from tricklab import tricks
    from tricklab.errors import UserError
    from tricklab.recipe import load, resolve, settings
    from tricklab.records import Evidence
    from tricklab.registry import build
    from tricklab.seeds import Seeds

    overrides = [change for change in changes if not change.startswith("+")]
    if data is not None:
        overrides.append(f"data.root={json.dumps(str(data))}")
    recipe = load(target, overrides=overrides, tricks=[change for change in changes if change.startswith("+")])
    resolved = resolve(tricks.apply(recipe).recipe)
    chosen, seeds = settings(resolved), Seeds(resolved.get("seed"), block)
    task = build("task", {"type": chosen.task}, settings=chosen, seeds=seeds)
    try:
        task.prepare()
        facts = {**task.facts(), **_file_facts(task)}
    except UserError as refused:
        facts = {**_inspected(chosen, seeds, refused), "data/refused": str(refused)}
    return Evidence(recipe=resolved.tree, rows=[], facts=facts, events=[], result=None, status={})


def _file_facts(task: Any) -> dict[str, Any]:
    from tricklab.data.image_facts import file_kinds
    from tricklab.data.image_list import ImageList

    images = getattr(task.fold, "images", None)
    return {"data/files": file_kinds(images)} if isinstance(images, ImageList) else {}


def _inspected(chosen: Any, seeds: Any, refused: Exception) -> dict[str, Any]:
    """Facts about images that cannot be trained on; other data have no such look, and their error stands."""
    from tricklab.errors import UserError
    from tricklab.registry import build

    try:
        data = build("data", {"type": chosen.task, **chosen.data})
        inspect = getattr(data, "inspect", None)
        if inspect is not None:
            found: dict[str, Any] = inspect(seeds)
            return found
    except UserError:
        pass
    raise refused
