"""Runs on masks: stopped, killed and gone on with the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tests.engine.conftest import MakeRun
from tests.engine.test_resume import KILLS_ITSELF, assert_same, at_step, resumed_at
from tricklab.engine import execute
from tricklab.records import RunFolder, load_tree

pytestmark = pytest.mark.slow
STEPWISE = ["train.checkpoint_every={iterations: 2}", "train.validate_every={iterations: 6}"]
# several scales, mixing of masks, mined pixels, and weights that are averaged meanwhile
TRICKS = ["+ohem(thresh=null, min_kept=200)", "+multi_scale", "+classmix", "+ema(decay=0.9)"]


def recipe() -> dict[str, Any]:
    """Ten steps an epoch, with batch normalisation and an auxiliary head."""
    return {
        "task": "segmentation",
        "data": {
            "images": {"type": "SyntheticMasks", "classes": 3, "images": 30, "size": [40, 48]},
            "crop": [32, 32],
            "augment": [{"type": "HorizontalFlip"}],
        },
        "model": {
            "type": "EncoderDecoder",
            "backbone": {"type": "ResNetV1c", "depth": 18, "base_channels": 8, "stem_channels": 8},
            "decode_head": {"type": "FCNHead", "channels": 8, "num_convs": 1},
            "auxiliary_head": {"type": "FCNHead", "in_index": 2, "channels": 8, "num_convs": 1},
        },
        "losses": [
            {"type": "CrossEntropyLoss", "on": "main"},
            {"type": "CrossEntropyLoss", "on": "aux", "weight": 0.4},
        ],
        "train": {"iterations": 16, "batch_size": 2, "device": "cpu", "log_every": {"iterations": 1}},
        "metric": {"monitor": "val/miou"},
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that nothing stopped."""
    from tests.engine.conftest import make_run

    make = make_run.__wrapped__(tmp_path_factory.mktemp("whole"))  # type: ignore[attr-defined]
    run: RunFolder = make("whole", STEPWISE, TRICKS, tree=recipe())
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    return run


def assert_scored_alike(run: RunFolder, other: RunFolder) -> None:
    mine, its = run.scores(), other.scores()
    assert mine.keys() == its.keys()
    assert all(np.array_equal(mine[name], its[name], equal_nan=True) for name in mine)
    for key in ("values", "averaged", "scoring", "metric"):
        assert run.result()[key] == other.result()[key]


def test_ctrl_c_in_the_middle_of_an_epoch_goes_on_bit_equal(make_run: MakeRun, whole: RunFolder) -> None:
    run = make_run("stopped", STEPWISE, TRICKS, tree=recipe())
    stop = at_step(7, lambda: os.kill(os.getpid(), signal.SIGINT))
    out = execute(run.path, threads=1, progress=False, observers=[stop])
    assert (out["state"], out["signal"]) == ("interrupted", signal.SIGINT)
    assert load_tree(run.checkpoint("resume"))["global_step"] == 7
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    assert [event["batch"] for event in resumed_at(run)] == [7]
    assert_same(run, whole)
    assert_scored_alike(run, whole)


@pytest.mark.parametrize("options", [[], ["train.workers=1"]], ids=["plain", "workers"])
def test_kill_in_the_middle_of_an_epoch_goes_on_bit_equal(
    make_run: MakeRun, whole: RunFolder, options: list[str]
) -> None:
    run = make_run("killed", [*STEPWISE, *options], TRICKS, tree=recipe())
    killed = subprocess.run(
        [sys.executable, "-c", KILLS_ITSELF, str(run.path)], env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=500
    )
    assert killed.returncode == -signal.SIGKILL
    assert run.status()["state"] == "running"
    assert load_tree(run.checkpoint("resume"))["global_step"] == 10
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    assert [event["step"] for event in resumed_at(run)] == [10]
    assert_same(run, whole)
    assert_scored_alike(run, whole)
