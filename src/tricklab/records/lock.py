"""One writer per folder: an advisory lock that the operating system drops when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tricklab.errors import UserError

_HELD: set[int] = set()


def _let_go_in_child() -> None:
    # a forked loader worker would otherwise keep the lock of a killed parent
    for handle in _HELD:
        os.close(handle)
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold an exclusive ``flock`` on ``path`` (made if missing; it stays) and write this process's id into it.

    Args:
        what: what is locked, for the error: "run", "experiment".

    Raises:
        UserError: another process, or this one, holds it; names its process id.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _take(handle)
    except BlockingIOError:
        pid = _read_pid(handle)
        os.close(handle)
        raise UserError(
            f"this {what} is in use by process {pid if pid is not None else '(just starting)'}",
            where=str(path.parent),
            fix="wait for it, or stop it",
        ) from None
    except BaseException:
        os.close(handle)
        raise
    _HELD.add(handle)
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        if handle in _HELD:
            _HELD.discard(handle)
            os.ftruncate(handle, 0)
            os.close(handle)


def holder(path: Path) -> int | None:
    """Process id of the lock's living holder, 0 if it has not said it yet, None if nobody holds the lock."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_pid(handle) or 0
    finally:
        os.close(handle)
    return None


def _take(handle: int) -> None:
    # `holder` takes the lock for microseconds, so one refusal proves nothing
    for attempt in range(10):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if attempt == 9:
                raise
            time.sleep(0.02)


def _read_pid(handle: int) -> int | None:
    text = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else None
