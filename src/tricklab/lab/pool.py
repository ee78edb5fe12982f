"""The caller's end of the fork server: start runs, hear how they end, send them signals."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tricklab.errors import UserError
from tricklab.lab.forkserver import Server
from tricklab.ops.parent_death import die_with_parent

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")
START_S = 600.0
_MAIN = "from tricklab.lab.forkserver import main; main()"


class Pool:
    """One fork server. Use as a context manager: leaving it ends the server and whatever still runs.

    Args:
        preload: modules that the server loads once, so that every run starts with them.
        threads: numeric threads of each run.
        in_memory: fork the server from this process instead, for functions that exist nowhere else; such runs
            inherit this process's libraries and their state.
    """

    def __init__(self, preload: Sequence[str] = (), *, threads: int = 1, in_memory: bool = False) -> None:
        self._pending = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        if in_memory:
            self._fork()
        else:
            self._spawn(preload, threads)
        try:
            (first, *_) = self.poll(timeout=START_S) or [{}]
        except BaseException:
            self.close()
            raise
        if "ready" not in first:
            self.close()
            raise UserError("the process that starts the runs did not come up", fix="its message stands above")

    def _spawn(self, preload: Sequence[str], threads: int) -> None:
        environment = os.environ | dict.fromkeys(_THREADS, str(threads))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MAIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches the caller alone, which forwards it
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = os.dup(self._process.stdin.fileno())
        self._reports = os.dup(self._process.stdout.fileno())
        self._process.stdin.close()
        self._process.stdout.close()
        self._send(
            {"path": [entry or os.getcwd() for entry in sys.path], "preload": list(preload), "parent": os.getpid()}
        )

    def _fork(self) -> None:
        server_reads, self._requests = os.pipe()
        self._reports, server_writes = os.pipe()
        caller = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():  # Python 3.12 warns of forking beside threads; the server only ever forks on
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            try:
                os.setsid()
                die_with_parent(caller)
                os.close(self._requests)
                os.close(self._reports)
                Server(server_reads, server_writes).serve()
            finally:
                os._exit(0)
        os.close(server_reads)
        os.close(server_writes)

    def start(
        self, identity: str, target: str, arguments: dict[str, Any], log: Path, environment: dict[str, str]
    ) -> None:
        """Start ``target`` ("module:function") in a fresh process whose output goes to ``log``."""
        request = {"start": identity, "target": target, "arguments": arguments, "log": str(log)}
        self._send(request | {"environment": environment})

    def signal(self, number: int) -> None:
        """Send a signal to every run."""
        self._send({"signal": number})

    def poll(self, timeout: float) -> list[dict[str, Any]]:
        """The reports that arrived within ``timeout`` seconds; raises UserError when the server is gone."""
        deadline = time.monotonic() + timeout
        while True:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._reports], [], [], left)
            if not ready:
                return []
            chunk = os.read(self._reports, 1 << 16)
            if not chunk:
                raise UserError("the process that starts the runs has ended", fix="resume the experiment")
            *lines, self._pending = (self._pending + chunk).split(b"\n")
            if lines:
                return [json.loads(line) for line in lines]

    def close(self) -> None:
        """End the server; runs that are still going are killed."""
        if self._requests < 0:
            return
        os.close(self._requests)
        os.close(self._reports)
        self._requests = self._reports = -1
        if self._process is not None:
            self._process.wait()
        else:
            os.waitpid(self._pid, 0)

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, request: dict[str, Any]) -> None:
        try:
            waiting = json.dumps(request).encode() + b"\n"
            while waiting:
                waiting = waiting[os.write(self._requests, waiting) :]
        except BrokenPipeError:
            raise UserError("the process that starts the runs has ended", fix="resume the experiment") from None
