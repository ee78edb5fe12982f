"""The trick fp16, with the GPU's loss scaling on a CPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

from tests.engine.conftest import MakeRun
from tricklab.engine import execute
from tricklab.engine import fit as fit_module
from tricklab.engine.trainer import build_trainer
from tricklab.errors import UserError
from tricklab.records import Evidence


def test_outputs_are_float16_and_the_scale_is_a_fact(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def scaling(*arguments: Any, **options: Any) -> Any:
        trainer = build_trainer(*arguments, **{**options, "precision": "32-true"})
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8, growth_interval=1000)
        trainer.strategy.precision_plugin = MixedPrecision("16-mixed", "cpu", scaler)  # type: ignore[misc]
        return trainer

    monkeypatch.setattr(fit_module, "build_trainer", scaling)
    run = make_run("half", ["train.epochs=2"], ["+fp16"])
    assert execute(run.path, threads=1, progress=False)["state"] == "finished", run.status()
    evidence = Evidence.from_folder(run.path)
    assert evidence.fact("train/output_dtype") == "torch.float16"
    assert evidence.fact("train/loss_scale") == 2.0**8
    (probe,) = [event for event in evidence.events if event["kind"] == "probe"]
    assert probe["live"]


def test_a_cpu_says_what_it_cannot(make_run: MakeRun) -> None:
    run = make_run("cpu", [], ["+fp16"])
    with pytest.raises(UserError, match=r"train\.precision: float16 .* needs a GPU.*bf16-mixed"):
        execute(run.path, threads=1, device="cpu", progress=False)


def test_without_scaling_there_is_no_scale(make_run: MakeRun) -> None:
    run = make_run("plain", ["train.epochs=1"])
    execute(run.path, threads=1, progress=False)
    assert Evidence.from_folder(run.path).fact("train/loss_scale") is None
