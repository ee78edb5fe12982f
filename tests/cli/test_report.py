"""tricklab report on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.lab.report.synthetic import build
from tricklab.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("runs") / "se", ["+se"], design="add-one", blocks=3)


def test_names_the_files_that_it_wrote(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(folder), "--out", str(tmp_path)]) == 0
    named = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.name for path in named] == [
        "report.html", "report.md", "report.csv", "report-runs.csv", "report-classes.csv", "report.json",
    ]  # fmt: skip
    assert all(path.is_file() and path.parent == tmp_path for path in named)


def test_json_is_one_document(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(folder), "--out", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tricks"][0]["name"] == "+se"
    assert found["tricks"][0]["verdict"] == "screening"
    assert found["files"]["html"] == str(tmp_path / "report.html")


def test_a_run_gets_its_figures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(folder / "baseline" / "0"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["runs"]
    assert [Path(path).name for path in found["figures"]] == ["curves.png", "confusion.png"]
    assert found["left_out"]


def test_what_train_wrote_gets_its_figures(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(folder / "baseline" / "0", tmp_path / "mine" / "run" / "0")
    assert main(["report", str(tmp_path / "mine")]) == 0
    assert str(tmp_path / "mine" / "run" / "0" / "figures" / "curves.png") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}/nothing"], "not an experiment"),
        (["{folder}/baseline/0", "--open"], "--out and --open are for experiments"),
        (["{folder}", "--data", "x"], "--data is for the figures of one run"),
    ],
)
def test_bad_input_is_one_clear_error(
    folder: Path, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *(text.format(tmp=tmp_path, folder=folder) for text in arguments)]) == 2
    assert message in capsys.readouterr().err
