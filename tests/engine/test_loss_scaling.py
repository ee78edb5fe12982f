"""float16 steps that loss scaling skips: the weights did not move, so no average takes them in."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

from tests.engine.conftest import MakeRun
from tricklab.engine import execute
from tricklab.engine import fit as fit_module
from tricklab.engine.averagings import Averagings
from tricklab.engine.trainer import build_trainer
from tricklab.records import Evidence


@pytest.mark.parametrize("fused", [False, True])
def test_an_average_moves_only_with_the_weights(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, fused: bool
) -> None:
    moved: list[bool] = []

    def scaling(*arguments: Any, **options: Any) -> Any:
        trainer = build_trainer(*arguments, **options)
        # gradients of float16 overflow above 2^16: the first steps are skipped
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=5)
        trainer.strategy.precision_plugin = MixedPrecision("16-mixed", "cpu", scaler)  # type: ignore[misc]
        return trainer

    def update(self: Averagings, model: torch.nn.Module, has_moved: bool = True) -> None:
        moved.append(has_moved)
        for averaging in self.watching.values():
            averaging.update(model, has_moved)

    monkeypatch.setattr(fit_module, "build_trainer", scaling)
    monkeypatch.setattr(Averagings, "update", update)
    monkeypatch.setattr("tricklab.optim.adam.on_cpu", lambda groups: fused)
    run = make_run("scaled", ["train.epochs=2", "model.dropout=0.0"], ["+ema(decay=0.9)"])

    assert execute(run.path, threads=1, progress=False)["state"] == "finished", run.status()

    evidence = Evidence.from_folder(run.path)
    skipped = evidence.fact("train/skipped_steps")
    assert len(moved) == 16
    assert 0 < skipped < 16
    assert moved.count(False) == skipped
    assert not moved[0]
    assert evidence.fact("averaging/distance")["updates"] == 16 - skipped


def test_without_scaling_no_step_is_skipped(make_run: MakeRun) -> None:
    run = make_run("plain", ["train.epochs=1"], ["+ema(decay=0.9)"])
    execute(run.path, threads=1, progress=False)
    evidence = Evidence.from_folder(run.path)
    assert evidence.fact("train/skipped_steps") == 0
    assert evidence.fact("averaging/distance")["updates"] == evidence.result["steps"]
