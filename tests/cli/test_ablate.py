"""tricklab ablate: the plan before, the verdict after, one JSON document, clear errors."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.runs import write_recipe
from tricklab.cli.main import main
from tricklab.lab.runner import Outcome

SCRIPT = """
import sys, json, random
random.seed(int(sys.argv[1]))
gain = sum(float(word.partition("=")[2]) for word in sys.argv[2:] if word.startswith("gain="))
if "--broken" in sys.argv:
    sys.exit("out of luck")
print(json.dumps({"accuracy": random.gauss(0.8, 0.001) + gain}))
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    place = tmp_path / "train.py"
    place.write_text(SCRIPT)
    return f"{sys.executable} {place} {{seed}} {{args}}"


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    return write_recipe(tmp_path)


def test_a_command_from_plan_to_report(script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ablate", "--command", script, "+gain=0.05", "+--broken", "--metric", "accuracy", "--delta", "0.01"]
    code = main([*words, "--out", str(tmp_path), "--name", "e", "--workers", "2"])
    out, err = capsys.readouterr()
    assert code == 0
    assert "10 cells" not in out
    assert re.search(r"15 runs: 15 trainings|20 runs: 20 trainings", out)
    assert re.search(r"gain=0\.05 +\+0\.05 .*5/5.*worth it", out)
    assert re.search(r"--broken .*refused", out)
    assert "exit code 1: out of luck" in out
    assert f"report: {tmp_path / 'e' / 'report.html'}" in out
    assert (tmp_path / "e" / "report.html").stat().st_size > 1000
    assert "block 0: finished, accuracy 0.8" in err

    # the same again repeats nothing, and is one JSON document
    assert main([*words, "--out", str(tmp_path), "--name", "e", "--workers", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert {trick["name"]: trick["verdict"] for trick in found["tricks"]} == {
        "gain=0.05": "helps",
        "--broken": "refused",
    }
    assert "finished" not in err
    for key in ("experiment", "metric", "direction", "delta", "design", "blocks", "look", "rho", "arms", "tricks"):
        assert key in found
    for key in ("name", "cell", "n", "failed", "mean", "sd", "cost"):
        assert key in found["arms"][0]
    for key in ("name", "effect", "interval", "interaction", "p", "p_holm", "wins", "steadiness", "verdict", "live"):
        assert key in found["tricks"][0]


@pytest.mark.slow
def test_a_recipe_trains_once_for_what_acts_at_evaluation(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ablate", tiny, "+ema(decay=0.5)", "--blocks", "1", "--out", str(tmp_path), "--name", "e", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cost"]["trainings"] == 1
    assert [arm["fit_from"] for arm in found["arms"]] == [None, "baseline"]
    assert found["tricks"][0]["verdict"] == "smoke"
    assert not (tmp_path / "e" / "+ema-decay=0.5" / "0" / "checkpoints" / "weights.safetensors").exists()

    first, second = (str(tmp_path / "e" / arm / "0") for arm in ("baseline", "+ema-decay=0.5"))
    assert main(["compare", first, second, "--json"]) == 0
    compared = json.loads(capsys.readouterr().out)
    written = {one["path"] for one in compared["differences"] if one["section"] == "recipe"}
    assert written == {"evaluate.weights", "evaluate.averaging"}
    assert compared["refusals"] == []
    assert main(["status", str(tmp_path), "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["experiments"]
    assert (one["state"], one["counts"], one["total"]) == ("finished", {"finished": 2}, 2)


def test_a_dry_run_prints_plan_and_price_and_writes_nothing(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ablate", tiny, "+se", "+ema", "--out", str(tmp_path / "runs"), "--dry-run"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "20 runs: 10 trainings, 10 scored on a shared training" in out
    assert "known after the first run" in out
    assert re.search(r"\+se & \+ema .*that of \+se", out)
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["price"]["runs"] == 20
    assert found["plan"]["looks"] == [5, 10]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no recipe is named"),
        (["+se"], "is an arm"),
        (["demo"], "nothing to compare"),
        (["demo", "+sse"], "did you mean 'se'"),
        (["demo", "se"], "write +se"),
        (["demo", "+se", "--design", "bot"], "did you mean 'both'"),
        (["demo", "+se", "--budget", "soon"], "no length of time"),
        (["demo", "+se", "--metric-regex", "x"], "use it with --command"),
        (["demo", "+se", "--metric", "val/aa"], "a recipe says its own metric"),
        (["demo", "+se", "--minimise"], "a recipe says its own metric"),
        (["demo", "+se", "--blocks", "0"], "not a positive number"),
        (["no-such-recipe", "+se"], "no-such-recipe"),
        (["--command", "python x.py", "+a=1"], "{args}"),
    ],
)
def test_bad_input_is_one_error_and_code_2(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ablate", *words, "--out", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_another_plan_under_one_name_is_refused_with_the_difference(
    script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ablate", "--command", script, "+gain=0.05", "--metric", "accuracy", "--out", str(tmp_path), "--name", "e"]
    assert main([*words, "--blocks", "1", "--json"]) == 0
    assert main([*words, "--blocks", "1", "--delta", "0.02"]) == 2
    assert "delta: None there, 0.02 asked for" in capsys.readouterr().err


def test_a_budget_ends_with_code_1_and_says_how_to_go_on(
    script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ablate", "--command", script, "+gain=0.05", "--metric", "accuracy", "--out", str(tmp_path), "--name", "e"]
    assert main([*words, "--budget", "0s"]) == 1
    assert f"tricklab resume {tmp_path / 'e'}" in capsys.readouterr().err
    assert main(["resume", str(tmp_path / "e"), "--budget", "0s"]) == 1
    assert f"tricklab resume {tmp_path / 'e'}" in capsys.readouterr().err


def test_a_signal_while_resuming_ends_with_128_and_its_number(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["ablate", "--command", script, "+gain=0.05", "--metric", "accuracy", "--out", str(tmp_path), "--name", "e"]
    assert main([*words, "--budget", "0s"]) == 1
    monkeypatch.setattr("tricklab.lab.ablation.run", lambda *rest: Outcome("stopped by SIGTERM", signal=15))
    assert main(["resume", str(tmp_path / "e")]) == 143


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("ablate", "status", "compare"):
        assert main([name, "--help"]) == 0
        assert f"tricklab {name}" in capsys.readouterr().out
