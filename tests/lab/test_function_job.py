"""A function's run: what it is seeded with, what it is known by, and how it may end."""

from __future__ import annotations

import errno
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tricklab.errors import UserError
from tricklab.lab.declaring import Wish, declare
from tricklab.lab.jobs import function as job
from tricklab.lab.jobs import settling
from tricklab.lab.queue import Task
from tricklab.records import Experiment, RunFolder


@pytest.fixture(autouse=True)
def untouched() -> Any:
    """The global generators and the functions in memory are as before."""
    torch = sys.modules.get("torch")
    states = random.getstate(), np.random.get_state(), None if torch is None else torch.get_rng_state()
    yield
    job.IN_MEMORY.clear()
    random.setstate(states[0])
    np.random.set_state(states[1])
    if torch is not None:
        torch.set_rng_state(states[2])


def folder_of(function: Callable[..., Any], root: Path, block: int = 0) -> RunFolder:
    plan = declare(function, {"flip": True}, Wish(blocks=2, name="e"))
    opened = Experiment.create(root / "e", plan.to_dict())
    return Task(plan.cells[0], block, opened.run_path("baseline", block)).folder(plan)


def ran(function: Callable[..., Any], root: Path, block: int = 0) -> dict[str, Any]:
    folder = folder_of(function, root, block)
    job.run(str(folder.path), 1)
    return folder.status()


def test_what_draws_from_the_global_generators_differs_by_block_and_repeats(tmp_path: Path) -> None:
    def careless(seed: int, flip: bool = False) -> float:
        return random.random() + float(np.random.rand())

    first = ran(careless, tmp_path / "a", 0)["metric"]
    assert ran(careless, tmp_path / "a", 1)["metric"] != first
    assert ran(careless, tmp_path / "b", 0)["metric"] == first


@pytest.mark.parametrize("code", [0, 1, "out of luck", None])
def test_a_function_that_leaves_has_failed(code: Any, tmp_path: Path) -> None:
    def leaving(seed: int, flip: bool = False) -> float:
        sys.exit(code)

    status = ran(leaving, tmp_path)
    assert (status["state"], status["reason"]) == ("failed", "exception")
    assert "SystemExit" in status["message"]


def test_a_processor_without_memory_is_no_failure(tmp_path: Path) -> None:
    def hungry(seed: int, flip: bool = False) -> float:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried …")

    status = ran(hungry, tmp_path)
    assert (status["state"], status["reason"]) == ("interrupted", "out of memory")


def test_a_full_disk_that_takes_no_event_is_told_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def writing(seed: int, flip: bool = False) -> float:
        raise OSError(errno.ENOSPC, "No space left on device")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(settling.RunFolder, "event", full)
    status = ran(writing, tmp_path)
    assert (status["state"], status["reason"]) == ("interrupted", "disk full")


@pytest.mark.parametrize("key", ["seed", "block"])
def test_seed_and_block_are_no_factors(key: str) -> None:
    with pytest.raises(UserError, match=f"{key!r} is the laboratory's own"):
        declare(lambda seed, block: 0.0, {key: [1, 2]}, Wish())


def test_functions_that_differ_in_a_closed_over_value_or_a_default_are_two() -> None:
    def made(gain: float, rate: float) -> Callable[..., float]:
        def function(seed: int, lr: float = rate, flip: bool = False) -> float:
            return gain * lr

        return function

    plans = [declare(made(*values), {"flip": True}, Wish()) for values in ((1.0, 0.1), (2.0, 0.1), (1.0, 0.2))]
    assert len({plan.experiment for plan in plans}) == 3
    assert len({plan.subject for plan in plans}) == 3
    assert [job.find(plan.subject)(0) for plan in plans] == [0.1, 0.2, 0.2]
    assert declare(made(1.0, 0.1), {"flip": True}, Wish()).experiment == plans[0].experiment


def test_another_function_than_the_declared_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "changing_module.py"
    place.write_text("def train(seed, flip=False):\n    return 0.5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import changing_module  # type: ignore[import-not-found]

    folder = folder_of(changing_module.train, tmp_path)
    place.write_text("def train(seed, flip=False):\n    return 0.625\n")
    monkeypatch.delitem(sys.modules, "changing_module")
    job.run(str(folder.path), 1)
    assert folder.status()["state"] == "refused"
    assert "not the one that the plan was declared with" in folder.status()["message"]
