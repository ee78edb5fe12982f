"""The process that starts runs: what it loads, how fresh its runs are, and how it ends."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lab.killing import PATIENCE_S, alive, descendants, until
from tests.lab.test_recipe_cells import TINY
from tricklab.errors import UserError
from tricklab.lab.ablation import _preload
from tricklab.lab.declaring import Wish, declare
from tricklab.lab.pool import Pool


def ends(pool: Pool, number: int) -> dict[str, dict[str, Any]]:
    """Reports of the next ``number`` runs that end."""
    found: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < number:
        assert time.monotonic() < deadline, f"{len(found)} of {number} runs have ended"
        for report in pool.poll(5.0):
            if "ended" in report:
                found[report["ended"]] = report
    return found


def test_exit_codes_output_and_environment(tmp_path: Path) -> None:
    with Pool(threads=2) as pool:
        for name in ("speaks", "raises", "leaves"):
            log = tmp_path / f"{name}.txt"
            pool.start(name, f"tests.lab.jobs:{name}", {}, log, {"TRICKLAB_TEST": name})
        found = ends(pool, 3)
    assert {name: report["code"] for name, report in found.items()} == {"speaks": 0, "raises": 1, "leaves": 7}
    assert (tmp_path / "speaks.txt").read_text() == "speaks 2 None\n"
    assert "RuntimeError: no" in (tmp_path / "raises.txt").read_text()
    assert found["speaks"]["peak_memory_mb"] > 1
    assert "TRICKLAB_TEST" not in os.environ


def test_a_signal_reaches_every_run_and_closing_ends_them(tmp_path: Path) -> None:
    others = set(descendants(os.getpid()))  # processes of other tests that stay, such as multiprocessing's tracker
    with Pool() as pool:
        for name in "ab":
            pool.start(name, "signal:pause", {}, tmp_path / name, {})
        started: list[dict[str, Any]] = []
        until(lambda: started.extend(pool.poll(1.0)) or len(started) == 2, "both have started")  # type: ignore[func-returns-value]
        pool.signal(signal.SIGTERM)
        assert {report["code"] for report in ends(pool, 2).values()} == {-signal.SIGTERM}
        pool.start("c", "signal:pause", {}, tmp_path / "c", {})
        until(lambda: any("started" in report for report in pool.poll(1.0)), "the third has started")
        below = set(descendants(os.getpid())) - others
        assert len(below) >= 2, "the process that starts runs, and the third run"
    until(lambda: not any(map(alive, below)), "all are gone")


def test_a_module_that_cannot_be_loaded(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="has ended"):
        Pool(["no_such_module"])
    assert "no_such_module" in capfd.readouterr().err


def test_what_a_recipe_needs_is_loaded_once() -> None:
    found = _preload(declare(TINY, ["+se", "model=PixelSVM"], Wish(design="add-one")))
    assert {"torch", "lightning", "tricklab.models.hybridsn", "tricklab.models.classical"} <= set(found)
    assert "tricklab.data.splits.random_pixels" in found


def test_a_signal_right_behind_a_start_is_not_lost(tmp_path: Path) -> None:
    with Pool() as pool:
        for attempt in range(5):
            pool.start(f"{attempt}", "signal:pause", {}, tmp_path / "log", {})
            pool.signal(signal.SIGTERM)
            assert ends(pool, 1)[f"{attempt}"]["code"] == -signal.SIGTERM
