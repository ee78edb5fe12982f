"""tricklab line: a table, a figure and a file."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.runs import train
from tricklab.cli.main import main


def test_a_table_a_figure_and_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tmp_path, "+ema(decay=0.8)", "train.epochs=1")
    capsys.readouterr()
    assert main(["line", str(run), "--steps", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[1:6]] == ["-0.50", "0.00", "0.50", "1.00", "1.50"]
    assert said[2].endswith("last")
    assert said[4].endswith("average")
    found = json.loads((run / "figures" / "line.json").read_text())
    assert found["split"] == "val"
    assert [point["t"] for point in found["points"]] == [-0.5, 0.0, 0.5, 1.0, 1.5]
    drawing = ElementTree.parse(run / "figures" / "line.svg").getroot()
    assert drawing.tag.endswith("svg")
    assert len(list(drawing.iter())) > 50
    assert main(["line", str(run), "--on", "everything"]) == 2
    assert "unknown set 'everything'" in capsys.readouterr().err
