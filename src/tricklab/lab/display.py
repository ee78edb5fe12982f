"""Progress of an experiment on the standard error: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tricklab.lab.durations import span
from tricklab.lab.plan import Plan
from tricklab.lab.queue import Queue, Task

_TAIL_BYTES = 8192


class Silent:
    """Says nothing."""

    def started(self, task: Task, queue: Queue) -> None:
        """Nothing."""

    def ended(self, task: Task, status: dict[str, Any], queue: Queue) -> None:
        """Nothing."""

    def tick(self, queue: Queue, slots: int) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


class Lines(Silent):
    """One line for every run that ends."""

    def __init__(self, plan: Plan, stream: TextIO | None = None) -> None:
        self.plan = plan
        self.stream = stream if stream is not None else sys.stderr
        self.slots = 1

    def ended(self, task: Task, status: dict[str, Any], queue: Queue) -> None:
        count = f"{len(queue.states):>{len(str(queue.total))}}/{queue.total}"
        self.say(f"[{count}] {describe(task, status, self.plan)}; eta {eta(queue, self.slots)}")

    def tick(self, queue: Queue, slots: int) -> None:
        self.slots = slots

    def say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class Live(Lines):
    """A table that is redrawn in place: counts, time left, and what runs now."""

    def __init__(self, plan: Plan, live: Any) -> None:
        super().__init__(plan)
        self.live = live
        self.began: dict[str, float] = {}

    def started(self, task: Task, queue: Queue) -> None:
        self.began[task.identity] = time.monotonic()
        self.tick(queue, self.slots)

    def say(self, text: str) -> None:
        self.live.console.print(text, markup=False, highlight=False)

    def tick(self, queue: Queue, slots: int) -> None:
        from rich.table import Table

        self.slots = slots
        counts = queue.counts()
        summary = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in counts.items() if number)
        table = Table(title=f"{summary} of {queue.total}; eta {eta(queue, slots)}", title_justify="left", box=None)
        for name in ("running", "block", "step", "loss", "left", "for"):
            table.add_column(name, justify="left" if name == "running" else "right")
        for task in queue.running.values():
            row = last_row(task.path) or {}
            spent = time.monotonic() - self.began.get(task.identity, time.monotonic())
            loss = row.get("loss")
            table.add_row(
                task.cell.name,
                str(task.block),
                str(row.get("step", "")),
                f"{loss:.4g}" if isinstance(loss, float) else "",
                span(row.get("eta_s")),
                span(spent),
            )
        self.live.update(table, refresh=True)


@contextlib.contextmanager
def display(plan: Plan, *, wanted: bool = True) -> Iterator[Silent]:
    """The progress display that fits the standard error."""
    if not wanted:
        yield Silent()
    elif not sys.stderr.isatty():
        yield Lines(plan)
    else:
        from rich.console import Console
        from rich.live import Live as RichLive

        with RichLive(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
            yield Live(plan, live)


def describe(task: Task, status: dict[str, Any], plan: Plan) -> str:
    """How one run ended, in one line."""
    from tricklab.records import RunFolder

    text = f"{task.cell.name}, block {task.block}: {status['state'].replace('_', ' ')}"
    result = RunFolder(task.path).result() if status["state"] == "finished" else None
    if result is not None:
        return f"{text}, {plan.metric} {result['metric']['value']:.4g} in {span(result['cost']['wall_s'])}"
    reason = str(status.get("message") or status.get("reason") or "").strip().splitlines()
    return f"{text} ({reason[-1]})" if reason else text


def eta(queue: Queue, slots: int) -> str:
    """Time until all is done, for people."""
    left = queue.seconds_left(slots)
    return "after the first run" if left is None else span(left)


def last_row(folder: Path) -> dict[str, Any] | None:
    """The last whole training row of a run, read from the end of its file."""
    place = folder / "metrics.jsonl"
    try:
        with open(place, "rb") as file:
            file.seek(max(0, os.path.getsize(place) - _TAIL_BYTES))
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return None
    for line in reversed(lines):
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict) and row.get("phase") == "train":
                return row
    return None
