from __future__ import annotations

import io

import pytest

from tests.engine.conftest import MakeRun
from tricklab.engine import execute
from tricklab.engine.clock import RunClock
from tricklab.engine.progress import Progress

TRAIN_ROW = {
    "phase": "train", "step": 20, "epoch": 2.0, "samples_seen": 80, "wall_s": 1.0, "lr": 1e-3, "eta_s": 65.0,
    "time": 0.25, "data_time": 0.01, "memory_mb": 512.0, "grad_norm": 1.5,
    "loss/CE.main": 0.5, "loss/CE.main_mean": 0.6, "loss": 0.5, "loss_mean": 0.6,
}  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_says_everything(capsys: pytest.CaptureFixture[str], make_run: MakeRun) -> None:
    run = make_run(overrides=["train.iterations=2"])
    execute(run.path, threads=1)
    lines = capsys.readouterr().err.splitlines()
    train = next(line for line in lines if line.startswith("train"))
    for word in ("lr", "eta", "time", "data_time", "memory", "loss/CrossEntropyLoss.main", "loss ", "grad_norm"):
        assert word in train
    assert any(line.startswith("val ") and "val/trivial_oa" in line for line in lines)
    assert any(line.startswith("warning: D07") for line in lines)


def test_a_terminal_gets_a_bar() -> None:
    stream = Terminal()
    progress = Progress("base", stream)
    progress.begin(RunClock(40, 4, 1, 40), 0)
    progress.tick(20)
    progress.row(TRAIN_ROW)
    progress.row({"phase": "val", "val/oa": 0.75})
    progress.say("warning: something")
    progress.end()
    text = stream.getvalue()
    assert "base" in text
    assert "warning: something" in text
    assert "train step" not in text


def test_nothing_is_printed_without_progress(capsys: pytest.CaptureFixture[str], make_run: MakeRun) -> None:
    execute(make_run(overrides=["train.iterations=2"]).path, threads=1, progress=False)
    out = capsys.readouterr()
    assert out.out == out.err == ""
