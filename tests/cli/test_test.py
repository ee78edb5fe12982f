"""tricklab test: the per-class report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.cli.runs import train
from tricklab.cli.main import main
from tricklab.records import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("runs"), "+ema(decay=0.9)")


def test_the_report_has_everything(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sum(event["kind"] == "test_touched" for event in RunFolder.open(run).events())
    assert main(["test", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    confusion = np.array(found["confusion"])
    assert found["split"] == "test"
    assert found["size"] == confusion.sum() == sum(row["support"] for row in found["classes"])
    assert found["values"]["oa"] == np.trace(confusion) / confusion.sum()
    assert found["trivial"]["oa"] == confusion.sum(axis=1).max() / confusion.sum()
    assert found["leakage"]["centre_share"] > 0.9
    assert found["looks_at_test"] == before + 1
    assert all(Path(path).is_file() for path in found["figures"])
    assert {"curves.png", "confusion.png", "class_map.png"} <= {Path(path).name for path in found["figures"]}
    for number, row in enumerate(found["classes"]):
        support = confusion[number].sum()
        assert row["recall"] == pytest.approx(confusion[number, number] / support)


def test_for_a_person(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(run.parent.parent)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"class +precision +recall +F1 +support", out)
    assert re.search(r"^accuracy 0\.\d{4} \d+", out, re.M)
    assert "always the commonest training class" in out
    assert "leakage: " in out


def test_the_validation_set_scores_what_training_recorded(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = RunFolder.open(run)
    touches = sum(event["kind"] == "test_touched" for event in folder.events())
    assert main(["test", str(run), "--on", "val", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    recorded = folder.result()["values"]
    assert {f"val/{name}": value for name, value in found["values"].items()} == recorded
    assert sum(event["kind"] == "test_touched" for event in folder.events()) == touches


def test_bad_input(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(run), "--on", "all"]) == 2
    assert "test, val or train" in capsys.readouterr().err
    assert main(["test", str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err
    weights = run / "checkpoints" / "average-none.safetensors"
    assert not weights.exists()


def test_an_unfinished_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.cli.runs import write_recipe
    from tricklab.cli.train import declare

    folder = declare([write_recipe(tmp_path)], [], None, 0, "planned", str(tmp_path))
    assert main(["test", str(folder.path)]) == 2
    err = capsys.readouterr().err
    assert "this run is planned" in err
    assert "tricklab resume" in err
