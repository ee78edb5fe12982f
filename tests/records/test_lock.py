"""One writer per folder; the lock goes with its holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tricklab.errors import UserError
from tricklab.records.lock import holder, locked

HOLD = """
import os, sys
from pathlib import Path
from tricklab.records.lock import locked
with locked(Path(sys.argv[1]), "run"):
    if sys.argv[2] == "fork" and os.fork() == 0:
        print("held", flush=True)
        sys.stdin.readline()
        os._exit(0)
    if sys.argv[2] != "fork":
        print("held", flush=True)
    sys.stdin.readline()
"""


def start(path: Path, how: str = "alone") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_holder_is_told_the_process(tmp_path: Path) -> None:
    process = start(tmp_path / "lock")
    with process:
        assert holder(tmp_path / "lock") == process.pid
        with pytest.raises(UserError, match=f"in use by process {process.pid}"), locked(tmp_path / "lock", "run"):
            pytest.fail("two holders")
        process.kill()
    with locked(tmp_path / "lock", "run"):
        assert holder(tmp_path / "lock") == os.getpid()


def test_a_killed_parent_frees_the_lock_though_its_child_lives(tmp_path: Path) -> None:
    process = start(tmp_path / "lock", "fork")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # the child still waits for its line: the lock is free although it lives
    assert holder(tmp_path / "lock") is None
    with locked(tmp_path / "lock", "run"):
        pass
    process.communicate()


def test_the_same_process_is_no_exception(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", "run"):
        second = locked(tmp_path / "lock", "experiment")
        with pytest.raises(UserError, match=f"this experiment is in use by process {os.getpid()}"):
            second.__enter__()
        assert holder(tmp_path / "lock") == os.getpid()
    assert holder(tmp_path / "lock") is None


def test_the_lock_is_freed_when_the_block_raises(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "lock", "run"):
        raise RuntimeError
    assert holder(tmp_path / "lock") is None
    assert holder(tmp_path / "nothing") is None
