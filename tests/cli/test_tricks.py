"""tricklab tricks."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tricklab.cli.main import main
from tricklab.tricks import Trick
from tricklab.tricks._base import REGISTERED


def test_the_list_names_every_trick_with_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tricks"]) == 0
    shown = capsys.readouterr().out
    for text in ("+se", "after=conv2d, reduction=16", "+step_decay", "at, gamma=0.1", "(only hyperspectral)"):
        assert text in shown


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tricks", "--task", "hyperspectral", "--json"]) == 0
    listed = {item["name"]: item for item in json.loads(capsys.readouterr().out)["tricks"]}
    assert listed["ema"]["stage"] == "evaluate"
    assert listed["ema"]["parameters"][0] == {"name": "decay", "type": "OpenShare", "required": False, "default": 0.999}
    assert listed["step_decay"]["parameters"][0] == {"name": "at", "type": "list[Positive]", "required": True}
    assert listed["se"]["probes"][0]["when"] == "first_steps"
    assert listed["se"]["source"].startswith("Hu et al.")


def test_one_trick_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tricks", "+ema"]) == 0
    shown = capsys.readouterr().out
    for text in ("+ema(decay=0.999, warmup=true, every=1)", "costs no training", "proof", "Polyak"):
        assert text in shown
    assert main(["tricks", "ema", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "ema"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["emma"], "did you mean 'ema'"),
        (["--task", "hyperspektral"], "did you mean 'hyperspectral'"),
        (["only_boxes_have_it", "--task", "hyperspectral"], "does not fit the task 'hyperspectral'"),
    ],
)
def test_unknown_names(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Trick("only_boxes_have_it", lambda recipe: recipe, ("detection",), "fit", "")
    monkeypatch.setitem(REGISTERED, other.name, other)
    assert main(["tricks", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["tricks", "models", "recipes"])
def test_listing_imports_no_torch(command: str) -> None:
    code = (
        f"import sys; from tricklab.cli.main import main; main([{command!r}]);"
        "print([m for m in ('torch', 'numpy', 'scipy', 'lightning') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"
