"""A server that has the heavy libraries loaded and forks one fresh process for every run.

Started by ``pool.py`` as a Python process of its own (so that thread counts stand in its environment before any numeric
library is loaded, and nothing of the caller's state is inherited), or forked from the caller when a function lives
only in the caller's memory. It speaks JSON lines. Requests: ``{"start": id, "target": "module:function",
"arguments": {...}, "log": path, "environment": {...}}`` and ``{"signal": number}`` (to every child). Reports:
``{"ready": pid}``, ``{"started": id, "pid": n}``, ``{"ended": id, "code": n, "cpu_s": x, "peak_memory_mb": y}``.

Children die with the server (Linux: parent-death signal; else: killed when the request stream ends), and the server
ends when its request stream ends, which the death of the caller brings about however it dies.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback
from dataclasses import dataclass, field
from typing import Any

from tricklab.ops.parent_death import die_with_parent

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Server:
    """The loop of the server; ``requests`` and ``reports`` are file descriptors."""

    requests: int
    reports: int
    children: dict[int, str] = field(default_factory=dict)
    pending: bytes = b""

    def serve(self) -> None:
        """Answer until the request stream ends; then kill what still runs."""
        wake_read, wake_write = os.pipe()
        for end in (wake_read, wake_write):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.report(ready=os.getpid())
        while True:
            ready, _, _ = select.select([self.requests, wake_read], [], [], 5.0)
            if wake_read in ready:
                os.read(wake_read, 4096)
            self.reap()
            if self.requests in ready and not self.receive():
                break
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)

    def receive(self) -> bool:
        """Act on the requests that have arrived; False at the end of the stream."""
        chunk = os.read(self.requests, 1 << 16)
        *lines, self.pending = (self.pending + chunk).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "start" in request:
                self.start(request)
            else:
                for pid in self.children:
                    os.kill(pid, request["signal"])
        return bool(chunk)

    def start(self, request: dict[str, Any]) -> None:
        server = os.getpid()
        # a signal that comes before the child has its own handlers must wait, not be ignored as the server does
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            pid = os.fork()
        finally:
            if os.getpid() == server:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        if pid == 0:
            code = 1
            try:
                os.close(self.requests)
                os.close(self.reports)
                code = child(server, request)
            finally:
                os._exit(code)
        self.children[pid] = request["start"]
        self.report(started=request["start"], pid=pid)

    def reap(self) -> None:
        for pid in list(self.children):
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                self.report(
                    ended=self.children.pop(pid),
                    code=os.waitstatus_to_exitcode(status),
                    cpu_s=round(usage.ru_utime + usage.ru_stime, 3),
                    peak_memory_mb=round(usage.ru_maxrss / (1024 if sys.platform.startswith("linux") else 2**20), 1),
                )

    def report(self, **fields: Any) -> None:
        try:
            os.write(self.reports, json.dumps(fields).encode() + b"\n")
        except BrokenPipeError:  # the caller is gone; the request stream ends next
            return


def child(server: int, request: dict[str, Any]) -> int:
    """Run one request in the forked child: own log, default signals; returns the exit code."""
    die_with_parent(server)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.update(request.get("environment", {}))
    module, _, name = request["target"].partition(":")
    try:
        getattr(importlib.import_module(module), name)(**request["arguments"])
    except BaseException as error:
        if isinstance(error, SystemExit) and error.code in (None, 0):
            return 0
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def main() -> None:
    """The server as a process of its own: the first line of its input says what to load."""
    requests, reports = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # what a library prints while it loads must not stand between the reports
    first = b""
    while not first.endswith(b"\n"):
        byte = os.read(requests, 1)
        if not byte:
            return
        first += byte
    setup = json.loads(first)
    die_with_parent(setup["parent"])
    sys.path[:] = setup["path"]
    for module in setup["preload"]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a collection in a child must not copy the pages that all children share
    Server(requests, reports).serve()
    os._exit(0)  # nothing to clean up, and some libraries complain at length when they are unloaded
