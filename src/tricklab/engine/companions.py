"""The other processes of a run that trains on several devices: started, connected, watched, and never left behind."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist

from tricklab.engine.interruption import Interrupted
from tricklab.engine.journal import NonFinite
from tricklab.engine.judge import NotLive
from tricklab.errors import UserError
from tricklab.ops.ranks import Ranks, together

_MAIN = "from tricklab.engine.companion import main; main()"
_PAUSE_S = 0.05
GRACE_S = 10.0
# a process that has died is noticed at once; this is for one that hangs
_PATIENCE = {"gloo": datetime.timedelta(hours=12), "nccl": datetime.timedelta(minutes=30)}
_HOST = "127.0.0.1"


class CompanionLost(RuntimeError):
    """Another process of the run was killed."""


@contextlib.contextmanager
def accompanied(
    folder: Path, devices: Sequence[torch.device], threads: int
) -> Iterator[Callable[[], contextlib.AbstractContextManager[Ranks]]]:
    """Start a process for every device but the first, which is this process's; all are gone when the block ends.

    Args:
        folder: the run's.
        devices: one for each process.
        threads: CPU threads of each.

    Yields:
        ``connect``: ``with connect():`` waits for the others and works together with them.

    Raises:
        UserError, MemoryError, CompanionLost, RuntimeError: instead of this process's own error about a broken
            connection, what happened to the process that broke it.
    """
    if len(devices) == 1:
        yield lambda: together(Ranks())
        return
    store = dist.TCPStore(_HOST, 0, len(devices), is_master=True, wait_for_workers=False)
    companions = Companions(folder, devices, threads, store.port)

    @contextlib.contextmanager
    def connect() -> Iterator[Ranks]:
        companions.wait_for(store)
        with connected(store, 0, devices) as found:
            yield found

    try:
        yield connect
        companions.wait()
    except (UserError, NotLive, NonFinite, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        companions.raise_failure(error, GRACE_S)
        raise
    finally:
        companions.close()


@contextlib.contextmanager
def connected(store: Any, rank: int, devices: Sequence[torch.device]) -> Iterator[Ranks]:
    """Join the processes that wait at ``store``; on a machine's CPU they speak gloo, on its GPUs nccl."""
    device, world = devices[rank], len(devices)
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=_PATIENCE[backend])
    try:
        host_group = dist.new_group(backend="gloo", timeout=_PATIENCE["gloo"])
        with together(Ranks(rank, world, dist.group.WORLD, host_group)) as found:
            yield found
    finally:
        dist.destroy_process_group()


def join(port: int, rank: int, devices: Sequence[torch.device]) -> contextlib.AbstractContextManager[Ranks]:
    """What one of the other processes does to be waited for and connected."""
    store = dist.TCPStore(_HOST, port, len(devices), is_master=False)
    store.set(_ready(rank), "1")
    return connected(store, rank, devices)


class Companions:
    """The started processes; what each says at its end is kept in the order in which they ended."""

    def __init__(self, folder: Path, devices: Sequence[torch.device], threads: int, port: int) -> None:
        self._world = len(devices)
        self._ended: list[tuple[int, dict[str, Any]]] = []
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._listeners: list[threading.Thread] = []
        for rank in range(1, self._world):
            process = subprocess.Popen(
                [sys.executable, "-c", _MAIN],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
                start_new_session=True,  # Ctrl-C reaches the first process alone, which tells the others
            )
            self._processes[rank] = process
            setup = {
                "path": [entry or os.getcwd() for entry in sys.path],
                "parent": os.getpid(),
                "run": str(folder.resolve()),
                "rank": rank,
                "devices": [str(device) for device in devices],
                "threads": threads,
                "port": port,
            }
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as requests:
                requests.write(json.dumps(setup) + "\n")
            listener = threading.Thread(target=self._listen, args=(rank, process), daemon=True)
            listener.start()
            self._listeners.append(listener)

    def wait_for(self, store: Any) -> None:
        """Wait until every process is ready to connect.

        Raises:
            UserError, MemoryError, CompanionLost, RuntimeError: what happened to one that ended before.
        """
        while not store.check([_ready(rank) for rank in self._processes]):
            self.raise_failure(None, 0.0)
            time.sleep(_PAUSE_S)

    def wait(self) -> None:
        """Wait for the processes to end by themselves after their last common work."""
        for listener in self._listeners:
            listener.join(GRACE_S)

    def raise_failure(self, cause: Exception | None, patience_s: float) -> None:
        """Raise what the process that ended first ended with; returns if none has within ``patience_s`` seconds.

        Raises:
            Interrupted: it was asked to stop.
            UserError, MemoryError, CompanionLost, RuntimeError: how it failed.
        """
        deadline = time.monotonic() + patience_s
        while not self._ended and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        if not self._ended:
            return
        rank, report = self._ended[0]
        who = f"process {rank + 1} of {self._world}"
        if report["kind"] == "stopped":
            raise Interrupted(report["signal"]) from cause
        if report["kind"] == "user error":
            raise UserError(report["what"], where=report["where"], fix=report["fix"]) from cause
        if report["kind"] == "out of memory":
            raise MemoryError(f"{who}: {report['message']}") from cause
        if report["kind"] == "lost":
            raise CompanionLost(f"{who} {report['message']}") from cause
        error = RuntimeError(report["message"])
        error.add_note(f"{who}:\n{report['traceback']}")
        raise error from cause

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        for listener in self._listeners:
            listener.join()

    def _listen(self, rank: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            said = lines.read()
        code = process.wait()
        if said:
            self._ended.append((rank, json.loads(said)))
        elif code < 0:
            self._ended.append((rank, {"kind": "lost", "message": f"was killed by signal {-code}"}))
        elif code:
            message = f"process {rank + 1} of {self._world} ended with exit code {code}; its message stands above"
            self._ended.append((rank, {"kind": "error", "message": message, "traceback": ""}))


def _ready(rank: int) -> str:
    return f"ready/{rank}"
