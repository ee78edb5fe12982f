"""Arms that differ in evaluation only share one training."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.conftest import MakeRun
from tricklab.engine import execute
from tricklab.engine.averagings import averaging_key
from tricklab.errors import UserError
from tricklab.records import Evidence

EMA = {"type": "Ema", "decay": 0.9, "warmup": True}


def test_an_evaluation_only_arm_equals_its_own_training(make_run: MakeRun) -> None:
    swa = {"type": "Swa", "start": 0.4, "every": 0.5}
    base = make_run("base", observers=[EMA, swa])
    execute(base.path, threads=1, progress=False)
    assert base.checkpoint(f"average-{averaging_key(EMA)}").exists()
    assert base.checkpoint(f"average-{averaging_key(swa)}").exists()
    shared = make_run("ema", calls=["+ema(decay=0.9)"], fit_from="base/0")
    own = make_run("own", calls=["+ema(decay=0.9)"])

    result, alone = (execute(run.path, threads=1, progress=False) for run in (shared, own))

    assert result["state"] == "finished"
    assert result["fit_from"] == "base/0"
    assert not shared.checkpoint("weights").exists()
    for key in (
        "metric",
        "values",
        "raw",
        "averaged",
        "confusion",
        "order_hash",
        "fit_identity",
        "steps",
        "steadiness",
    ):
        assert result[key] == alone[key], key
    assert np.array_equal(shared.scores()["confidence"], own.scores()["confidence"])
    assert result["raw"] == base.result()["values"]
    live = [(event["when"], event["live"]) for event in shared.events() if event["kind"] == "probe"]
    assert live == [("first_steps", True), ("evaluate", True)]
    assert Evidence.from_folder(shared.path).fact("averaging/distance")["updates"] == 16


def test_an_unfinished_training_cannot_be_shared(make_run: MakeRun) -> None:
    make_run("base")
    run = make_run("ema", calls=["+ema"], fit_from="base/0")
    with pytest.raises(UserError, match="planned"):
        execute(run.path, threads=1, progress=False)


def test_key_ignores_spelled_out_defaults_and_order() -> None:
    assert averaging_key({"type": "Ema", "decay": 0.9}) == averaging_key({"warmup": True, "decay": 0.9, "type": "Ema"})
    assert averaging_key(EMA) != averaging_key({**EMA, "decay": 0.8})
