"""tricklab explain and tricklab schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tricklab.cli.main import main


def test_every_value_has_an_origin_and_every_trick_its_writes(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explain", "demo", "+se", "+ema:decay=0.9", "optimizer.lr=1e-4", "--data", "some where", "--json"]
    assert main(arguments) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    values = found["values"]
    assert values["optimizer.lr"] == {"value": 1e-4, "origin": "command line"}
    assert values["data.root"] == {"value": "some where", "origin": "command line"}
    assert values["data.window"]["origin"].startswith(("recipes/demo.yaml:", "/"))
    assert values["model.dropout"] == {"value": 0.4, "origin": "default of HybridSN"}
    assert values["model.insert.0.reduction"] == {"value": 16, "origin": "trick se"}
    assert [call["call"] for call in found["tricks"]] == [
        "+se(after=conv2d, reduction=16)",
        "+ema(decay=0.9, warmup=true, every=1)",
    ]
    assert found["tricks"][1]["writes"]["evaluate.weights"] == ["last", "average"]
    assert set(found["digest"]) == {"fit", "evaluate"}


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "demo", "+se", "--no-defaults"]) == 0
    shown = capsys.readouterr().out
    assert "model.insert.0: null -> " in shown
    assert "default of" not in shown
    assert main(["explain", "demo"]) == 0
    assert "default of HybridSN" in capsys.readouterr().out


def test_a_trick_of_the_recipe_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("base: demo\ntricks:\n  - +se\n  - +ema\n")
    assert main(["explain", str(file), "--without", "se", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [call["name"] for call in found["tricks"]] == ["ema"]
    assert found["tricks"][0]["origin"] == f"{file}:4"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demoo"], "did you mean 'demo"),
        (["demo", "train.epoch=3"], "command line, train.epoch: unknown key 'epoch'. did you mean 'epochs'?"),
        (["demo", "train.epochs=many"], "command line, train.epochs: wrong value 'many'"),
        (["demo", "epochs"], "write key=value, or +trick"),
        (["demo", "+emma"], "did you mean 'ema'"),
        (["demo", "+ema", "+swa"], "both write evaluate"),
        (["demo", "+se(reductoin=8)"], "did you mean 'reduction'"),
        (["demo", "--without", "se"], "no trick 'se' to leave out"),
    ],
)
def test_bad_input_is_one_clear_error(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *arguments]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) == 1


def test_the_schema_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"task", "data", "model", "tricks", "base", "imports"} <= set(found["properties"])
