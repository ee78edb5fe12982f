"""tricklab train and resume: what they declare, print and leave with."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.runs import train, write_recipe
from tricklab.cli.main import main
from tricklab.records import RunFolder

INTERRUPTS_ITSELF = """
import os, signal, sys
from tricklab import engine
from tricklab.cli.main import run
execute = engine.execute
send = lambda row: row["step"] == 1 and os.kill(os.getpid(), int(sys.argv[1]))
engine.execute = lambda path, **options: execute(path, observers=[send], **options)
run(sys.argv[2:])
"""


def test_trains_with_tricks_and_values_and_says_how_it_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder.open(train(tmp_path, "+se(reduction=8)", "+ema(decay=0.9)", "optimizer.lr=2e-3", "--block", "0"))
    out, err = capsys.readouterr()
    assert re.search(r"^val/oa 0\.\d{4}  \(always the commonest class: 0\.\d{4}\)$", out, re.M)
    assert "raw      val/oa" in out
    assert "averaged val/oa" in out
    assert err.startswith("warning: D07")
    assert run.recipe["model"]["insert"][0]["reduction"] == 8
    assert run.recipe["optimizer"]["lr"] == 2e-3
    assert [call["name"] for call in run.declared["tricks"]] == ["se", "ema"]
    assert run.declared["tricks"][0]["writes"].keys() == {"model.insert.0"}


def test_json_is_one_document_and_the_same_command_repeats_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", write_recipe(tmp_path), "train.epochs=1", "--out", str(tmp_path), "--json"]
    documents = []
    for _ in range(2):
        assert main(words) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0] == documents[1]
    assert documents[0]["state"] == "finished"
    assert re.fullmatch(r".*/tiny-[0-9a-f]{6}/run/0", documents[0]["run"])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["epochs=3"], r"unknown key 'epochs'"),
        (["train.epochs=many"], r"train\.epochs"),
        (["+see"], r"unknown trick '\+?see'.*did you mean 'se'"),
        (["se"], r"'se' is neither a trick nor a value"),
        (["--without", "ema"], r"ema"),
        (["metric.monitor=val/miou"], r"unknown metric 'val/miou'"),
        (["train.device=cuda:7"], r"cuda:7"),
        (["model.insert=[{type: SE, after: conv9}]"], r"conv9"),
    ],
)
def test_bad_input_is_one_error_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    assert main(["train", write_recipe(tmp_path), *words, "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert re.search(text, lines[0])
    assert "Traceback" not in err


def test_a_failed_run_leaves_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "optimizer={type: SGD, lr: 1e30}"
    assert main(["train", write_recipe(tmp_path), bad, "--out", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("failed: loss/CrossEntropyLoss.main is ")
    assert "tricklab doctor" in out


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_with_128_and_resume_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    words = ["train", write_recipe(tmp_path), "--out", str(tmp_path), "--name", "t", "--threads", "1"]
    stopped = subprocess.run(
        [sys.executable, "-c", INTERRUPTS_ITSELF, str(int(number)), *words],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=200,
    )
    assert stopped.returncode == 128 + number, stopped.stderr
    assert "go on with: tricklab resume" in stopped.stdout
    assert main(["resume", str(tmp_path / "t"), "--json"]) == 0
    assert RunFolder.open(tmp_path / "t" / "run" / "0").status()["state"] == "finished"


def test_resume_refuses_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err
    run = train(tmp_path, "train.epochs=1")
    assert main(["resume", str(run), "--blocks", "5"]) == 2
    assert "only an experiment" in capsys.readouterr().err
