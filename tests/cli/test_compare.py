"""tricklab compare: what differs between two runs, and whether their metrics may be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tricklab.cli.main import main
from tricklab.records import RunFolder


def run(
    path: Path, recipe: dict[str, Any], value: float, *, block: int = 0, digest: str = "d", torch: str = "2.10"
) -> str:
    folder = RunFolder.create(path, recipe=recipe, block=block, arm=path.parent.name, experiment="e", tricks=[])
    folder.write_result(
        {
            "metric": {"name": "val/oa", "value": value, "mode": "max"},
            "values": {"val/oa": value},
            "cost": {"wall_s": 2.0, "threads": 1, "device": "cpu"},
            "data_digest": digest,
            "samples_seen": 100,
            "versions": {"torch": torch},
        }
    )
    folder.add_provenance({"environment": {"versions": {"torch": torch}}})
    folder.set_status("finished")
    return str(path)


def compared(first: str, second: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["compare", first, second, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_recipe_and_result_differences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(tmp_path / "a" / "0", {"optimizer": {"lr": 0.1}, "seed": 0}, 0.5)
    second = run(tmp_path / "b" / "0", {"optimizer": {"lr": 0.2}, "seed": 0}, 0.75)
    found = compared(first, second, capsys)
    assert {(one["section"], one["path"], one["first"], one["second"]) for one in found["differences"]} == {
        ("recipe", "optimizer.lr", 0.1, 0.2),
        ("result", "metric.value", 0.5, 0.75),
        ("result", "values.val/oa", 0.5, 0.75),
    }
    assert (found["refusals"], found["labels"]) == ([], [])
    assert main(["compare", first, second]) == 0
    out = capsys.readouterr().out
    assert "+0.25" in out
    assert "cost: the same" in out


def test_other_data_versions_and_blocks_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(tmp_path / "a" / "0", {"seed": 0}, 0.5)
    second = run(tmp_path / "b" / "1", {"seed": 0}, 0.5, block=1, digest="e", torch="2.11")
    found = compared(first, second, capsys)
    assert found["refusals"] == ["other versions (torch 2.10 against 2.11)", "other data"]
    assert "different blocks (0 and 1)" in found["labels"][0]
    paths = {(one["section"], one["path"]) for one in found["differences"]}
    assert {("provenance", "declared.block"), ("provenance", "environment.versions.torch")} <= paths


def test_a_run_that_has_not_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(tmp_path / "a" / "0", {"seed": 0}, 0.5)
    other = RunFolder.create(tmp_path / "b" / "0", recipe={"seed": 0}, block=0, arm="b", experiment="e", tricks=[])
    found = compared(first, str(other.path), capsys)
    assert found["states"] == ["finished", "planned"]
    assert found["refusals"] == []


def test_no_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path), str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err


def test_a_training_is_compared_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(tmp_path / "first" / "run" / "0", {"seed": 0}, 0.5)
    run(tmp_path / "second" / "run" / "0", {"seed": 1}, 0.5)
    found = compared(str(tmp_path / "first"), str(tmp_path / "second"), capsys)
    assert found["first"] == first
    assert [(one["section"], one["path"]) for one in found["differences"] if one["path"] == "seed"] == [
        ("recipe", "seed")
    ]
