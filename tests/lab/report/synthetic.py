"""A whole experiment on disk with made-up numbers: plan, run folders, rows, facts; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tricklab.lab.arms import parse_recipe_arms
from tricklab.lab.designs import cells_of, folder_names
from tricklab.lab.plan import CellPlan, Plan
from tricklab.records import Experiment, RunFolder

CLASSES = ["Brocoli", "Corn", "Lettuce 4wk", "Lettuce 5wk"]
ENVIRONMENT = {
    "versions": {"python": "3.12.1", "torch": "2.11.0", "tricklab": "0.1.0"},
    "git": {"commit": "0123456789abcdef", "dirty": False},
    "source": "feedc0de",
    "platform": "Linux-6.1",
    "cpu": "An Honest Processor",
    "cores": 2,
    "threads": 1,
    "device": [],
    "command": ["tricklab", "ablate", "demo", "+se"],
}


def build(
    folder: Path,
    arms: Sequence[str] = ("+se", "+step_decay(at=[41, 76])", "+ema(decay=0.99)"),
    *,
    design: str = "both",
    blocks: int = 5,
    effect: Callable[[tuple[str, ...], int], float] = lambda cell, block: 0.012 * ("+se" in cell),
    failed: Sequence[tuple[int, int]] = (),
    minimise: bool = False,
    rows: bool = True,
    delta: float | None = 0.005,
    subject: str = "salinas-a-hybridsn",
    classes: Sequence[str] = CLASSES,
    message: str = "loss is nan at step 120",
    task: str = "hyperspectral",
) -> Path:
    """Write the experiment and return its folder.

    ``effect`` is what a cell adds to the metric in a block; ``failed`` names (cell number, block) of failed runs.
    """
    parsed = parse_recipe_arms(arms)
    cells = cells_of(design, parsed)
    recipe = {
        "task": task,
        "seed": 0,
        "data": {"root": "/somewhere/private", "window": 15, "split": {"type": "RandomPixels", "train": 0.1}},
        "train": {"epochs": 25},
        "metric": {"monitor": "val/oa", "mode": "max", "delta": delta},
    }
    metric = "val/loss" if minimise else "val/oa"
    planned = tuple(
        CellPlan(arms=cell, folder=name, recipe=recipe) for cell, name in zip(cells, folder_names(cells), strict=True)
    )
    plan = Plan(
        experiment=folder.name, kind="recipe", subject=subject, metric=metric, direction="min" if minimise else "max",
        delta=delta, design=design, arms=tuple(parsed), cells=planned, looks=(blocks, 2 * blocks), workers=2, threads=1,
        device="cpu", per_device=1, notes=("the design is both: two to six arms of one level each",),
    )  # fmt: skip
    experiment = Experiment.create(folder, plan.to_dict())
    command = ["/home/somebody/bin/tricklab", "ablate", subject, *arms, "--data", "/somewhere/private"]
    experiment.append_look({"look": 1, "blocks": blocks, "event": "opened", "time": 1767261600, "command": command})
    for number, cell in enumerate(planned):
        for block in range(blocks):
            generator = np.random.default_rng([number, block])
            level = 0.95 + 0.01 * np.random.default_rng(block).normal() + 0.002 * generator.normal()
            value = float(level + effect(cell.arms, block))
            value = 1 - value if minimise else value
            broken = (number, block) in failed
            run = RunFolder.create(
                experiment.run_path(cell.folder, block), recipe=recipe, block=block, arm=cell.folder,
                experiment=folder.name, tricks=[],
            )  # fmt: skip
            _fill(run, value, generator, metric, broken=broken, rows=rows, block=block,
                  classes=list(classes), message=message)  # fmt: skip
    return folder


def _fill(
    run: RunFolder, value: float, generator: np.random.Generator, metric: str, *, broken: bool, rows: bool, block: int,
    classes: list[str], message: str,
) -> None:  # fmt: skip
    loss = metric.endswith("loss")
    for epoch in range(1, (8 if broken else 26) * rows):
        done = 1 - np.exp(-epoch / 5)
        noise = 0.02 * generator.normal() * np.exp(-epoch / 9)
        place = {"step": 8 * epoch, "epoch": float(epoch), "samples_seen": 512 * epoch, "wall_s": 1.1 * epoch}
        run.append_metrics({"phase": "train", **place, "lr": 1e-3, "loss": 1.8 - 1.7 * done + noise,
                            "loss_mean": 1.8 - 1.7 * done})  # fmt: skip
        now = value + (1.5 * (1 - done) if loss else -0.6 * (1 - done)) + noise
        run.append_metrics({"phase": "val", **place, metric: now, "val/trivial_oa": 0.31})
    run.fact("data/sizes", {"train": 535, "val": 4813, "test": 0})
    run.fact("data/split", {"type": "RandomPixels", "redrawn": 0, "digest": "abc"})
    shares = {"centre_share": 1.0, "touch_share": 1.0, "covered_share": 0.956, "window": 15, "split": "val"}
    run.fact("data/leakage", shares)
    run.add_provenance({"environment": ENVIRONMENT})
    if broken:
        run.event("failure", reason="non-finite", message=message)
        run.set_status("failed", reason="non-finite", message=message)
        return
    confusion = np.diag([100, 60, 40, 30]) + generator.integers(0, 3, (4, 4))
    run.write_result({
        "metric": {"name": metric, "value": value, "mode": "max"},
        "values": {metric: value, "val/aa": value - 0.01},
        "trivial": {"val/oa": 0.31}, "confusion": confusion.tolist(), "classes": classes,
        "samples_seen": 12800, "loss_terms": ["CrossEntropyLoss.main"],
        "cost": {"wall_s": 31.0, "train_s": 27.5, "evaluate_s": 2.5, "peak_memory_mb": 812.0,
                 "device": "cpu", "threads": 1},
        "data_digest": {"val": f"split of block {block}"},
    })  # fmt: skip
    run.set_status("finished", metric=value)
