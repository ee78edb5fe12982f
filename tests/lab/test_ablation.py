"""Functions and commands judged end to end: plan, runs in fresh processes, failures, looks, resume."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab import jobs
from tricklab.errors import UserError
from tricklab.lab import Command, Result, ablate, experiment_result, resume
from tricklab.records import Experiment, RunFolder, scan


def quiet(subject: Any, factors: Any, out: Path, **options: Any) -> Result:
    return ablate(subject, factors, out=out, progress=False, report=False, **({"workers": 2} | options))


def test_a_function_is_judged_with_the_statistics_of_the_plan(tmp_path: Path) -> None:
    result = quiet(jobs.noisy, {"flip": True, "wide": 3}, tmp_path, blocks=5, delta=0.01, name="e")
    found = result.to_dict()
    assert {trick["name"]: trick["verdict"] for trick in found["tricks"]}["flip=true"] == "helps"
    assert result["flip=true"].effect == pytest.approx(0.05, abs=0.01)
    assert result["wide=3"].verdict in ("undecided", "equivalent")
    assert (found["design"], found["blocks"], found["looks"], found["delta"]) == ("both", 5, [5, 10], 0.01)
    assert [arm["name"] for arm in found["arms"]] == ["baseline", "flip=true", "wide=3", "flip=true & wide=3"]
    assert found["complete"]
    assert found["failed"] == []
    assert found["cost"]["runs"] == 20
    # the scores are those of the function itself, with the block's seed
    from tricklab.lab.jobs.function import block_seed

    assert found["scores"]["flip=true"] == [jobs.noisy(block_seed(0, block), flip=True) for block in range(5)]
    assert json.loads(json.dumps(found)) == found
    assert experiment_result(tmp_path / "e") == found


def test_each_run_is_a_fresh_process_with_the_threads_of_the_plan(tmp_path: Path) -> None:
    quiet(jobs.shape_of, {"flip": True}, tmp_path, blocks=2, threads=3, name="e")
    values = [run.result["values"] for run in scan(tmp_path) if run.result]
    assert {value["threads"] for value in values} == {3.0}
    assert len({value["pid"] for value in values}) == 4
    assert os.getpid() not in {value["pid"] for value in values}


@pytest.mark.slow
def test_a_named_metric_and_its_direction(tmp_path: Path) -> None:
    result = quiet(jobs.named, {"flip": True}, tmp_path, metric="accuracy", direction="min", blocks=5, name="e")
    assert result["flip=true"].verdict == "hurts"
    arms = result.to_dict()["arms"]
    assert arms[0]["values"] == {"accuracy": pytest.approx(0.8, abs=0.05), "loss": 1.0, "block": 2.0}
    with pytest.raises(UserError, match=r"no number 'f1'.*accuracy, loss"):
        quiet(jobs.named, {"flip": True}, tmp_path, metric="f1", blocks=2, name="f")


def test_a_function_in_memory_is_forked(tmp_path: Path) -> None:
    gain = 0.04

    def local(seed: int, on: bool = False) -> float:
        return jobs.noisy(seed) + gain * on

    result = quiet(local, {"on": True}, tmp_path, blocks=5, name="e")
    assert result["on=true"].verdict == "helps"
    assert "forked" in " ".join(result.to_dict()["plan_notes"])
    for run in scan(tmp_path):
        assert RunFolder.open(run.path).recipe["function"].startswith("memory:")
    assert resume(tmp_path / "e", progress=False, report=False)["on=true"].effect == result["on=true"].effect
    from tricklab.lab.jobs.function import IN_MEMORY

    IN_MEMORY.clear()
    with pytest.raises(UserError, match="lived only in the memory"):
        resume(tmp_path / "e", progress=False)


@pytest.mark.parametrize(
    ("function", "factors", "message"),
    [
        (lambda lr=1: 0.0, {"lr": 2}, "takes no seed"),
        (lambda seed: 0.0, {"lr": 2}, "takes no keyword 'lr'"),
        (lambda seed, lr: 0.0, {"lr": 2}, "has no default"),
        (lambda seed, lr=2: 0.0, {"lr": 2}, "own default"),
        (lambda seed, lr=2: 0.0, ["+lr"], "mapping"),
        (3, {"lr": 2}, "cannot be ablated"),
    ],
)
def test_functions_that_cannot_be_ablated(function: Any, factors: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        quiet(function, factors, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_default_among_levels_is_the_baseline(tmp_path: Path) -> None:
    result = quiet(jobs.noisy, {"lr": [0.1, 0.2]}, tmp_path, blocks=2, name="e")
    assert [trick.name for trick in result.judgement.tricks] == ["lr=0.2"]
    assert "lr=0.1 is the function's own default" in result.to_dict()["plan_notes"][0]


@pytest.mark.slow
def test_an_arm_that_never_works_is_refused(tmp_path: Path) -> None:
    result = quiet(jobs.exploding, {"mode": ["raises", "nan", "text"]}, tmp_path, blocks=5, name="e")
    assert {trick.name: trick.verdict for trick in result.judgement.tricks} == {
        "mode=raises": "refused", "mode=nan": "refused", "mode=text": "refused",
    }  # fmt: skip
    troubled = result.to_dict()["failed"]
    assert {(run["cell"], run["state"], run["reason"]) for run in troubled} == {
        ("mode=raises", "failed", "exception"), ("mode=nan", "failed", "non-finite"),
        ("mode=text", "refused", "user error"),
    }  # fmt: skip
    # bad input stops its arm; failures are outcomes and are counted in every block
    cells = [run["cell"] for run in troubled]
    assert (cells.count("mode=raises"), cells.count("mode=nan")) == (5, 5)
    assert cells.count("mode=text") < 5
    assert "RuntimeError: the arm is broken" in repr(result)
    assert "RuntimeError" in RunFolder.open(troubled[0]["path"]).events()[0]["traceback"]


def test_a_failed_run_counts_as_the_worst_value(tmp_path: Path) -> None:
    result = quiet(jobs.exploding, {"mode": "sometimes"}, tmp_path, blocks=6, name="e")
    trick = result["mode=sometimes"]
    assert trick.failures is not None
    failed = trick.failures.failed_with
    assert 0 < failed < 6
    assert trick.effect is not None
    assert trick.effect < 0
    assert result.to_dict()["arms"][1]["failed"] == failed
    assert trick.without_failures is not None
    assert trick.without_failures.blocks == 6 - failed


@pytest.mark.slow
def test_killed_and_out_of_memory_runs_are_tried_again(tmp_path: Path) -> None:
    for function in (jobs.dying, jobs.hungry):
        marks = tmp_path / f"marks-{function.__name__}"
        marks.mkdir()
        factors = {"flip": True, "marks": str(marks)}
        result = quiet(function, factors, tmp_path, design="full", blocks=2, name=function.__name__)
        assert result.to_dict()["complete"]
        assert result.to_dict()["failed"] == []
        states = {run.state for run in scan(tmp_path / function.__name__)}
        assert states == {"finished"}


def test_a_run_that_is_given_up_is_told(tmp_path: Path) -> None:
    result = quiet(jobs.dying_with_flip, {"flip": True}, tmp_path, blocks=1, name="e")
    assert result.stopped is not None
    assert result.stopped.startswith("given up: flip=true/0: killed")
    assert result["flip=true"].verdict == "smoke"


@pytest.mark.slow
def test_runs_that_always_die_end_with_their_reason(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the first runs die: killed"):
        quiet(jobs.always_dying, {"flip": True}, tmp_path, blocks=2, name="e")


@pytest.mark.slow
def test_a_second_look_extends_the_first(tmp_path: Path) -> None:
    first = quiet(jobs.noisy, {"flip": True}, tmp_path, blocks=3, name="e")
    assert (first.judgement.blocks, first.judgement.look) == (3, 1)
    before = {run.path: run.status["updated"] for run in scan(tmp_path)}
    times = {path: (path / "result.json").stat().st_mtime_ns for path in before}
    second = quiet(jobs.noisy, {"flip": True}, tmp_path, blocks=6, name="e")
    assert (second.judgement.blocks, second.judgement.look, second.judgement.level) == (6, 2, first.judgement.level)
    assert {path: (path / "result.json").stat().st_mtime_ns for path in before} == times
    looks = Experiment.open(tmp_path / "e").looks()
    assert [(look["event"], look["blocks"]) for look in looks] == [
        ("opened", 3), ("judged", 3), ("opened", 6), ("judged", 6),
    ]  # fmt: skip
    # what was reached stays: asking for fewer blocks again judges at the later look
    assert quiet(jobs.noisy, {"flip": True}, tmp_path, blocks=3, name="e").judgement.look == 2


def test_another_plan_under_the_same_name_is_refused(tmp_path: Path) -> None:
    quiet(jobs.noisy, {"flip": True}, tmp_path, blocks=2, name="e")
    changes: list[tuple[dict[str, Any], str]] = [
        ({"delta": 0.1}, "delta: None there, 0.1 asked for"),
        ({"blocks": 3}, r"looks: \[2, 4\] there, \[3, 6\] asked for"),
        ({"final": True}, r"looks: \[2, 4\] there, \[2\] asked for"),
        ({"threads": 2}, "threads: 1 there, 2 asked for"),
        ({"seed": 1}, "seed: 0 there, 1 asked for"),
        ({"workers": 1}, "workers: 2 there, 1 asked for"),
    ]
    for options, difference in changes:
        with pytest.raises(UserError, match=difference):
            quiet(jobs.noisy, {"flip": True}, tmp_path, **({"blocks": 2, "name": "e"} | options))


@pytest.mark.slow
def test_the_default_name_tells_plans_apart(tmp_path: Path) -> None:
    first = quiet(jobs.noisy, {"flip": True}, tmp_path, blocks=2)
    assert quiet(jobs.noisy, {"flip": True}, tmp_path, blocks=4).path == first.path
    other = quiet(jobs.noisy, {"flip": True}, tmp_path, blocks=2, delta=0.1)
    assert first.path.name.startswith("noisy-")
    assert other.path != first.path


def test_resume_refuses_other_versions_and_undeclared_looks(tmp_path: Path) -> None:
    quiet(jobs.noisy, {"flip": True}, tmp_path, blocks=2, name="e")
    with pytest.raises(UserError, match=r"was not declared.*2, 4"):
        resume(tmp_path / "e", blocks=3)
    place = tmp_path / "e" / "baseline" / "0" / "result.json"
    result = json.loads(place.read_text())
    result["versions"]["numpy"] = "0.1"
    place.write_text(json.dumps(result))
    with pytest.raises(UserError, match=r"numpy 0\.1 there"):
        resume(tmp_path / "e", blocks=4)


@pytest.mark.slow
def test_a_budget_stops_before_it_is_passed(tmp_path: Path) -> None:
    result = quiet(jobs.noisy, {"flip": True}, tmp_path, blocks=3, budget=0.0, name="e")
    assert result.stopped == "budget"
    assert scan(tmp_path / "e") == []
    assert result["flip=true"].verdict == "smoke"
    assert resume(tmp_path / "e", progress=False, report=False).stopped is None


SCRIPT = """
import sys, json, random
arguments = dict(part.split("=") for part in sys.argv[2:])
random.seed(int(sys.argv[1]))
score = random.gauss(0.8, 0.01)
if "boom" in arguments:
    print("about to fail", file=sys.stderr)
    sys.exit(3)
if "quiet" in arguments:
    sys.exit(0)
print("epoch 1 done")
print(json.dumps({"score": score + 0.1 * float(arguments.get("gain", 0)), "extra": 2}))
print(f"final accuracy: {100 * score:.3f} %")
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    place = tmp_path / "train me.py"
    place.write_text(SCRIPT)
    return f"{sys.executable} '{place}' {{seed}} {{args}}"


def test_a_command_line_is_judged(script: str, tmp_path: Path) -> None:
    result = quiet(Command(script), ["+gain=1|2", "+boom=1"], tmp_path, blocks=5, name="e")
    assert {trick.name: trick.verdict for trick in result.judgement.tricks} == {
        "gain=1": "helps", "gain=2": "helps", "boom=1": "refused",
    }  # fmt: skip
    assert result["gain=2"].effect == pytest.approx(0.2)
    assert "exit code 3: about to fail" in repr(result)


def test_a_pattern_reads_the_number(script: str, tmp_path: Path) -> None:
    result = quiet(Command(script, r"accuracy: (\S+) %"), ["gain=1"], tmp_path, blocks=3, name="e")
    assert result["gain=1"].effect == 0.0
    assert 70 < result.to_dict()["arms"][0]["mean"] < 90


@pytest.mark.parametrize(
    ("text", "regex", "arms", "message"),
    [
        ("python x.py {seed}", None, ["+a=1"], "no place for the arms"),
        ("python x.py {args}", None, ["+a=1"], "takes no seed"),
        ("python 'x.py {seed} {args}", None, ["+a=1"], "cannot be split"),
        ("", None, ["+a=1"], "is empty"),
        ("python x.py {seed} {args}", "(", ["+a=1"], "not a regular expression"),
        ("python x.py {seed} {args}", "(a)(b)", ["+a=1"], "more than one group"),
        ("/no/such/program {seed} {args}", None, ["+a=1"], "cannot be started"),
        ("echo {seed} {args}", r"accuracy (\d)", ["+a=1"], "matches"),
        ("echo no {seed} {args}", None, ["+a=1"], "printed no JSON line"),
    ],
)
def test_commands_that_cannot_be_judged(
    text: str, regex: str | None, arms: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        quiet(Command(text, regex), arms, tmp_path, blocks=2, name="e")


def test_no_shell_looks_at_a_command(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    result = quiet(Command("echo {seed} ; touch {args}", r"^(\d+)"), [f"+{mark}"], tmp_path, blocks=2, name="e")
    assert result.judgement.tricks[0].effect == 0.0
    assert not mark.exists()
    printed = (tmp_path / "e" / "baseline" / "0" / "output.txt").read_text()
    assert printed.endswith("; touch\n")


@pytest.mark.slow
def test_the_result_draws_itself(tmp_path: Path) -> None:
    result = quiet(jobs.noisy, {"flip": True}, tmp_path, blocks=5, delta=0.01, name="<e>")
    html = result._repr_html_()
    assert "&lt;e&gt;" in html
    assert "<td style='text-align:left'>flip=true</td>" in html
    assert "worth it" in repr(result)
