"""Every trick on a tiny recipe: its probes pass when it is on, and fail on the evidence of the baseline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tricks.arguments import BASELINE, NEEDS_GPU, RECIPES, call_of, own_tricks
from tricklab import tricks
from tricklab.recipe import Recipe, load
from tricklab.records import Evidence, RunFolder

TINY = {
    "task": "hyperspectral",
    "data": {
        "scene": {"type": "SyntheticScene", "height": 48, "width": 48, "bands": 24, "classes": 4},
        "window": 11,
        "pca": 13,
        "split": {"type": "RandomPixels", "train": 0.1, "val": 0.1},
    },
    "model": {"type": "HybridSN"},
    "train": {"epochs": 3, "batch_size": 16, "log_every": {"iterations": 2}},
}
TINY_IMAGES = {
    "task": "classification",
    "data": {"images": {"type": "SyntheticImages", "per_class": 20}, "size": 32},
    "model": {"type": "timm", "name": "test_resnet"},
    "train": {"epochs": 3, "batch_size": 16, "log_every": {"iterations": 2}},
    "metric": {"monitor": "val/accuracy"},
}
TINY_MASKS = RECIPES["segmentation"] | {"train": {"epochs": 2, "batch_size": 4, "log_every": {"iterations": 1}}}
Run = Callable[[dict[str, Any], str | None, list[str]], Evidence]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train and evaluate a task's tiny recipe, with a trick or without; the same run is made once."""
    from tricklab.engine import execute

    done: dict[tuple[str, str | None, tuple[str, ...]], Evidence] = {}

    def one(recipe: dict[str, Any], call: str | None, overrides: list[str]) -> Evidence:
        key = (recipe["task"], call, tuple(overrides))
        if key not in done:
            root = tmp_path_factory.mktemp("runs")
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(root)
                if call and "./teacher" in call:
                    trained(root / "teacher", load(recipe, overrides))
                done[key] = trained(root / "tiny" / "arm" / "0", load(recipe, overrides, [call] if call else []))
        return done[key]

    def trained(folder: Path, recipe: Recipe) -> Evidence:
        applied = tricks.apply(recipe)
        declared = [{"name": c.name, "arguments": c.arguments, "writes": {}} for c in applied.calls]
        RunFolder.create(folder, recipe=applied.recipe.tree, block=0, arm="arm", experiment="tiny", tricks=declared)
        needs_gpu = any(c.name in NEEDS_GPU for c in applied.calls)
        execute(folder, threads=1, device="cuda" if needs_gpu else "cpu", progress=False)
        return Evidence.from_folder(folder)

    return one


@pytest.mark.slow
@pytest.mark.parametrize("name", [trick.name for trick in own_tricks()])
def test_probes_pass_when_on_and_fail_when_off(name: str, run: Run) -> None:
    import torch

    if name in NEEDS_GPU and not torch.cuda.is_available():
        pytest.skip(f"{name} needs a GPU and torch sees none")
    call, overrides = call_of(name), BASELINE.get(name, [])
    fits = tricks.get(name).fits
    recipe = TINY if fits("hyperspectral") else TINY_IMAGES if fits("classification") else TINY_MASKS
    on, off = run(recipe, call, overrides), run(recipe, None, overrides)
    assert on.status["state"] == "finished", on.status
    assert off.status["state"] == "finished", off.status
    probes = tricks.probes([tricks.parse(call)])
    assert probes, f"{name} has no probe"
    for _, when, probe in probes:
        with_it, without_it = probe(on), probe(off)
        assert with_it.live, f"on, {when}: {with_it.text}"
        assert not without_it.live, f"off, {when}: {without_it.text}"
