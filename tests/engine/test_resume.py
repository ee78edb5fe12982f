"""A training that is stopped anywhere ends with the same bits as one that is not."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import MakeRun, comparable, make_run
from tricklab.engine import checkpoint as checkpoint_module
from tricklab.engine import execute
from tricklab.engine import fit as fit_module
from tricklab.engine.execution import mishap_of
from tricklab.errors import UserError
from tricklab.records import RunFolder, load_tree

# the row of step 12 is written before its checkpoint: the last checkpoint is that of step 10
KILLS_ITSELF = """
import os, sys
from tricklab.engine import execute
kill = lambda row: row["step"] == 12 and os.kill(os.getpid(), 9)
execute(sys.argv[1], threads=1, progress=False, observers=[kill])
"""
TRICKS = ["+ema(decay=0.9)", "+flips"]
STEPWISE = ["train.checkpoint_every={iterations: 2}", "train.validate_every={iterations: 5}"]


def weights(run: RunFolder) -> dict[str, torch.Tensor]:
    return load_tree(run.checkpoint("weights"))


def assert_same(run: RunFolder, other: RunFolder) -> None:
    mine, its = weights(run), weights(other)
    assert mine.keys() == its.keys()
    assert all(torch.equal(mine[name], its[name]) for name in mine)
    assert comparable(run.metrics()) == comparable(other.metrics())
    assert run.result()["confusion"] == other.result()["confusion"]
    assert run.result()["order_hash"] == other.result()["order_hash"]


def resumed_at(run: RunFolder) -> list[dict[str, Any]]:
    return [event for event in run.events() if event["kind"] == "resumed"]


def at_step(step: int, act: Callable[[], None]) -> Callable[[dict[str, Any]], None]:
    """An observer that acts once, when the row of a step is written."""
    done: list[int] = []

    def observe(row: dict[str, Any]) -> None:
        if row["step"] == step and not done:
            done.append(step)
            act()

    return observe


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that nothing stopped."""
    make = make_run.__wrapped__(tmp_path_factory.mktemp("whole"))  # type: ignore[attr-defined]
    run: RunFolder = make("whole", STEPWISE, TRICKS)
    execute(run.path, threads=1, progress=False)
    return run


def test_signal_in_the_middle_of_an_epoch_saves_and_resumes_bit_equal(make_run: MakeRun, whole: RunFolder) -> None:
    number = signal.SIGTERM
    run = make_run("stopped", STEPWISE, TRICKS)
    before = signal.getsignal(number)

    out = execute(run.path, threads=1, progress=False, observers=[at_step(3, lambda: os.kill(os.getpid(), number))])

    assert out["state"] == "interrupted"
    assert out["signal"] == number
    assert run.status()["state"] == "interrupted"
    assert signal.getsignal(number) == before
    assert load_tree(run.checkpoint("resume"))["global_step"] == 3
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    (resumed,) = resumed_at(run)
    assert resumed["step"] == 3
    assert resumed["batch"] == 3
    assert_same(run, whole)
    assert not run.checkpoint("resume").exists()


def test_stop_during_a_validation_makes_it_again(
    make_run: MakeRun, whole: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tricklab.tasks.hyperspectral import HyperspectralTask

    run = make_run("stopped", STEPWISE, TRICKS)
    evaluate = HyperspectralTask.evaluate

    def interrupted(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(HyperspectralTask, "evaluate", evaluate)
        os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(*arguments, **options)

    monkeypatch.setattr(HyperspectralTask, "evaluate", interrupted)
    assert execute(run.path, threads=1, progress=False)["state"] == "interrupted"
    assert not [row for row in run.metrics() if row["phase"] == "val"]
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    assert_same(run, whole)


def test_stop_after_the_last_step_or_in_the_final_evaluation_trains_nothing_again(
    make_run: MakeRun, whole: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arm, step, phase in (("last", 16, "train"), ("evaluation", 16, "val")):
        run = make_run(arm, STEPWISE, TRICKS)

        def send(row: dict[str, Any], step: int = step, phase: str = phase) -> None:
            if row["step"] == step and row["phase"] == phase:
                os.kill(os.getpid(), signal.SIGTERM)

        assert execute(run.path, threads=1, progress=False, observers=[send])["state"] == "interrupted"
        assert run.result() is None
        monkeypatch.setattr("tricklab.engine.fit.build_trainer", None)
        assert execute(run.path, threads=1, progress=False)["state"] == "finished"
        monkeypatch.undo()
        assert_same(run, whole)


def test_signal_while_a_validation_is_recorded_leaves_one_record_of_it(make_run: MakeRun, whole: RunFolder) -> None:
    run = make_run("stopped", STEPWISE, TRICKS)

    def send(row: dict[str, Any]) -> None:
        if row["step"] == 5 and row["phase"] == "val":
            os.kill(os.getpid(), signal.SIGTERM)

    assert execute(run.path, threads=1, progress=False, observers=[send])["state"] == "interrupted"
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    assert_same(run, whole)


def test_signal_after_the_last_step_loses_no_training(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run("late", ["train.iterations=4", "train.checkpoint_every=null"])
    save = fit_module.save_tree

    def stopped(path: Path, tree: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        save(path, tree)

    monkeypatch.setattr(fit_module, "save_tree", stopped)
    assert execute(run.path, threads=1, progress=False)["state"] == "interrupted"
    monkeypatch.undo()
    monkeypatch.setattr(fit_module, "build_trainer", None)
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_weights_of_another_precision_are_not_rounded_by_a_stop(make_run: MakeRun, precision: str) -> None:
    options = ["train.epochs=1", f"train.precision={precision}"]
    whole, run = make_run("whole", options, TRICKS), make_run("stopped", options, TRICKS)
    execute(whole.path, threads=1, progress=False)
    stop = at_step(3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert execute(run.path, threads=1, progress=False, observers=[stop])["state"] == "interrupted"
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    assert_same(run, whole)


def test_other_data_are_refused_on_the_way(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from tricklab.tasks.hyperspectral import HyperspectralTask

    run = make_run("stopped", STEPWISE)
    stop = at_step(3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert execute(run.path, threads=1, progress=False, observers=[stop])["state"] == "interrupted"
    digest = HyperspectralTask.digest
    monkeypatch.setattr(HyperspectralTask, "digest", lambda self: {**digest(self), "train": "0" * 32})
    with pytest.raises(UserError, match="the data are not those that the run was trained on: train differ"):
        execute(run.path, threads=1, progress=False)
    monkeypatch.undo()
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory."), "out of memory"),
        (OSError(errno.EDQUOT, "Quota exceeded"), "disk full"),
        (RuntimeError("DataLoader worker (pid 6357) is killed by signal: Killed. "), "loader worker killed"),
        (RuntimeError("DataLoader worker (pid(s) 6357) exited unexpectedly"), "loader worker killed"),
        (RuntimeError("Caught RuntimeError in DataLoader worker process 0."), None),
        (OSError(errno.EACCES, "Permission denied"), None),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None),
    ],
)
def test_mishaps_of_the_machine(error: Exception, reason: str | None) -> None:
    assert mishap_of(error) == reason


def test_full_disk_leaves_the_last_good_checkpoint(
    make_run: MakeRun, whole: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("full", STEPWISE, TRICKS)
    save = checkpoint_module.save_tree
    written: list[int] = []

    def full(path: Path, tree: Any) -> None:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(1)
        save(path, tree)

    monkeypatch.setattr(checkpoint_module, "save_tree", full)
    out = execute(run.path, threads=1, progress=False)
    assert out["state"] == "interrupted"
    assert out["reason"] == "disk full"
    assert load_tree(run.checkpoint("resume"))["global_step"] == 4
    monkeypatch.undo()
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    assert [event["step"] for event in resumed_at(run)] == [4]
    assert_same(run, whole)


def test_death_before_the_first_checkpoint_starts_again(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make_run("whole", ["train.checkpoint_every=null"])
    execute(whole.path, threads=1, progress=False)
    run = make_run("again", ["train.checkpoint_every=null"])

    def dies() -> None:
        raise MemoryError

    assert execute(run.path, threads=1, progress=False, observers=[at_step(6, dies)])["reason"] == "out of memory"
    assert run.metrics()
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    assert not resumed_at(run)
    assert_same(run, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [[], ["train.accumulate=2"], ["train.workers=2"]], ids=["plain", "accumulate", "workers"]
)
def test_kill_in_the_middle_of_an_epoch_resumes_bit_equal(make_run: MakeRun, options: list[str]) -> None:
    overrides = [*STEPWISE, "train.epochs=3", "train.batch_size=8", "train.clip_norm=1.0", *options]
    tricks = ["+ema(decay=0.9)", "+flips", "+spectral_noise", "+step_decay(at=[1.5])"]
    whole = make_run("whole", overrides, tricks)
    assert execute(whole.path, threads=1, progress=False)["state"] == "finished"
    run = make_run("killed", overrides, tricks)
    killed = subprocess.run(
        [sys.executable, "-c", KILLS_ITSELF, str(run.path)], env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=200
    )
    assert killed.returncode == -signal.SIGKILL
    assert run.metrics()[-1]["step"] == 12
    assert run.status()["state"] == "running"
    assert run.holder() is None
    assert load_tree(run.checkpoint("resume"))["global_step"] == 10

    assert execute(run.path, threads=1, progress=False)["state"] == "finished"

    (resumed,) = resumed_at(run)
    assert resumed["step"] == 10
    assert resumed["batch"] > 0, "the kill must fall into an epoch, not between two"
    assert_same(run, whole)
