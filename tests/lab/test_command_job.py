"""What is read from a command's output, what its files are known by, and how its end is understood."""

from __future__ import annotations

import math
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tricklab.errors import UserError
from tricklab.lab.arms import parse_command_arms
from tricklab.lab.declaring import Command, Wish, declare
from tricklab.lab.jobs import command
from tricklab.lab.queue import Task
from tricklab.records import Experiment, RunFolder


@pytest.mark.parametrize(
    ("output", "regex", "value"),
    [
        ("inference accuracy: 91", r"inference accuracy: \d+", 91.0),
        ("acc1=0.93", r"acc1=\S+", 0.93),
        ("OA: -1.5e-3;", r"OA: (\S+)", -1.5e-3),
        ("OA: .5", r"OA: (.+)", 0.5),
        ("OA: 93.2 %.", r"OA: (.+)", 93.2),
        ("OA: -Infinity", r"OA: (\S+)", -math.inf),
    ],
)
def test_a_pattern_finds_the_number_and_not_part_of_a_word(output: str, regex: str, value: float) -> None:
    assert command.numbers(output, "m", regex) == {"m": value}


def test_a_pattern_reads_a_number_that_is_none() -> None:
    assert math.isnan(command.numbers("OA: NaN", "m", r"OA: (\S+)")["m"])


@pytest.mark.parametrize("text", ["epoch 3 oa 0.5", "93.2±0.1", "1,234"])
def test_a_match_with_several_numbers_is_ambiguous(text: str) -> None:
    with pytest.raises(UserError, match=r"more than one number.*group"):
        command.numbers(text, "m", ".+")


def test_a_long_word_is_no_file_and_a_large_file_is_known_by_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command.code_digest("python -c '" + "x = 1;" * 200 + "' {seed} {args}") is None
    place = tmp_path / "data.bin"
    place.write_bytes(b"abcd")
    small = command.code_digest(f"train {place}")
    place.write_bytes(b"abce")
    assert command.code_digest(f"train {place}") != small
    monkeypatch.setattr(command, "_LARGEST_DIGESTED", 3)
    large = command.code_digest(f"train {place}")
    place.write_bytes(b"abcd")
    assert command.code_digest(f"train {place}") == large
    place.write_bytes(b"abcde")
    assert command.code_digest(f"train {place}") != large


def test_an_arm_that_cannot_be_cut_into_words_is_refused_before_anything_runs() -> None:
    with pytest.raises(UserError, match="cannot be cut into words"):
        parse_command_arms(["+--title 'a"])


@pytest.fixture
def handlers() -> Any:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def ran(text: str, tmp_path: Path) -> dict[str, Any]:
    """The status of a command's first run."""
    plan = declare(Command(text), ["+x"], Wish(blocks=1, name="e"))
    opened = Experiment.create(tmp_path / "e", plan.to_dict())
    folder = Task(plan.cells[0], 0, opened.run_path("baseline", 0)).folder(plan)
    command.run(str(folder.path), 1)
    return RunFolder(folder.path).status()


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("number", "state", "reason"),
    [
        (signal.SIGTERM, "interrupted", "stopped"),
        (signal.SIGHUP, "interrupted", "stopped"),
        (signal.SIGKILL, "interrupted", "out of memory"),
        (signal.SIGSEGV, "failed", "exception"),
    ],
)
def test_a_command_that_a_signal_ends(number: int, state: str, reason: str, tmp_path: Path) -> None:
    place = tmp_path / "script.py"
    # whoever started the tests may have had hang-ups ignored, as nohup does
    reset = "" if number == signal.SIGKILL else f"signal.signal({int(number)}, signal.SIG_DFL)\n"
    place.write_text(f"import os, signal\n{reset}os.kill(os.getpid(), {int(number)})\n")
    status = ran(f"{sys.executable} {place} {{seed}} {{args}}", tmp_path)
    assert (status["state"], status["reason"]) == (state, reason)


@pytest.mark.usefixtures("handlers")
def test_another_script_than_the_declared_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "script.py"
    place.write_text("print(0.5)\n")
    plan = declare(Command(f"{sys.executable} {place} {{seed}} {{args}}"), ["+x"], Wish(blocks=1, name="e"))
    opened = Experiment.create(tmp_path / "e", plan.to_dict())
    folder = Task(plan.cells[0], 0, opened.run_path("baseline", 0)).folder(plan)
    place.write_text("print(0.6)\n")
    command.run(str(folder.path), 1)
    assert "not those that the plan was declared with" in folder.status()["message"]
    assert folder.status()["state"] == "refused"
    place.write_text("print(0.5)\n")
    command.run(str(folder.path), 1)
    assert (folder.status()["state"], folder.status()["metric"]) == ("finished", 0.5)


@pytest.mark.usefixtures("handlers")
def test_a_script_that_is_not_found_from_here_is_no_failure_of_the_arm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "script.py").write_text("print(0.5)\n")
    monkeypatch.chdir(tmp_path / "here")
    plan = declare(Command(f"{sys.executable} script.py {{seed}} {{args}}"), ["+x"], Wish(blocks=1, name="e"))
    opened = Experiment.create(tmp_path / "e", plan.to_dict())
    folder = Task(plan.cells[0], 0, opened.run_path("baseline", 0)).folder(plan)
    os.chdir(tmp_path)
    command.run(str(folder.path), 1)
    assert folder.status()["state"] == "refused"
    assert str(tmp_path) in folder.status()["message"]
