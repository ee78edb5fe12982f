"""tricklab doctor: what it takes, and what would be ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tricklab.cli.doctor import show
from tricklab.cli.main import main
from tricklab.doctor import Finding


@pytest.fixture
def log(tmp_path: Path) -> str:
    place = tmp_path / "notes.txt"
    place.write_text("base\naccuracy 0.9498 9225\naccuracy 0.9786 9225\naccuracy 0.9560 9225\n")
    return str(place)


def test_a_pasted_text(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", log, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["target"] == log


@pytest.mark.parametrize(
    ("extra", "named"), [(["+se"], "+se"), (["--data", "x"], "--data"), (["--block", "0"], "--block")]
)
def test_what_only_a_recipe_can_have_is_refused(
    log: str, extra: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", log, *extra]) == 2
    assert f"{named} is for a recipe" in capsys.readouterr().err


def test_a_negative_block_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "demo", "--block", "-1"]) == 2
    assert "--block" in capsys.readouterr().err


def test_findings_alike_but_for_their_numbers_are_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    titles = ["loss rose by 1.5e-3", "loss rose by 2", "loss rises by 2"]
    findings = [
        (f"runs/{number}", Finding("D01", "warning", title, {}, (), "", ())) for number, title in enumerate(titles)
    ]
    show("runs", findings)
    shown = capsys.readouterr().out
    assert "loss rose by 1.5e-3" in shown
    assert "loss rose by 2" not in shown
    assert "loss rises by 2" in shown
