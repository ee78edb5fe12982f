"""What a user sees of a training: a bar on a terminal, one line per row elsewhere."""

from __future__ import annotations

import math
import sys
from typing import Any, TextIO

from tricklab.engine.clock import RunClock

Row = dict[str, Any]


class Progress:
    """Shows rows and steps.

    Args:
        title: what stands before the bar.
        stream: where to write; standard error if not given, so that ``--json`` owns standard output.
    """

    def __init__(self, title: str, stream: TextIO | None = None) -> None:
        self.title, self.stream = title, stream or sys.stderr
        self._bar: Any = None
        self._task: Any = None
        self._clock: RunClock | None = None
        self._score = ""

    def begin(self, clock: RunClock, step: int) -> None:
        """The training starts after ``step`` steps."""
        self._clock = clock
        if not self.stream.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=Console(file=self.stream),
            transient=True,
        )
        self._task = self._bar.add_task(self.title, total=clock.total_steps, completed=step, numbers="")
        self._bar.start()

    def tick(self, step: int) -> None:
        """A step is finished."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step)

    def row(self, row: Row) -> None:
        """A row was written."""
        if self._bar is None:
            total = self._clock.total_steps if self._clock else None
            self._print(row_text(row, total))
        elif row["phase"] == "train":
            self._bar.update(self._task, numbers=f"loss {row['loss_mean']:.4f} · lr {row['lr']:.2e}{self._score}")
        else:
            name = next((key for key in row if key.startswith(f"{row['phase']}/")), None)
            self._score = "" if name is None else f" · {name} {row[name]:.4f}"

    def say(self, text: str) -> None:
        """One line of text, above the bar if there is one."""
        self._print(text)

    def end(self) -> None:
        """The bar goes away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=self.stream, flush=True)


def row_text(row: Row, total_steps: int | None = None) -> str:
    """One line of text with everything that a row says.

    >>> row_text({"phase": "val", "step": 20, "epoch": 2.0, "samples_seen": 80, "wall_s": 1.0, "val/oa": 0.5}, 40)
    'val   step 20/40  epoch 2.00  samples 80  val/oa 0.5000'
    """
    steps = f"{row['step']}/{total_steps}" if total_steps else str(row["step"])
    parts = [f"{row['phase']:<5} step {steps}  epoch {row['epoch']:.2f}  samples {row['samples_seen']}"]
    if row["phase"] == "train":
        parts.append(f"lr {row['lr']:.3e}")
        parts.append(f"eta {clock_text(row['eta_s'])}")
        parts.append(f"time {row['time']:.3f}  data_time {row['data_time']:.4f}  memory {row['memory_mb']:.0f} MiB")
        if row["grad_norm"] is not None:
            parts.append(f"grad_norm {row['grad_norm']:.3f}")
    known = {"phase", "step", "epoch", "samples_seen", "wall_s", "lr", "eta_s", "time", "data_time", "memory_mb"}
    for name, value in row.items():
        if (
            name in known
            or name == "grad_norm"
            or name.endswith(("/min", "/max"))
            or not isinstance(value, int | float)
        ):
            continue
        if not name.endswith("_mean"):
            mean = row.get(f"{name}_mean")
            parts.append(f"{name} {value:.4f}" + (f" ({mean:.4f})" if mean is not None else ""))
    return "  ".join(parts)


def clock_text(seconds: float) -> str:
    """Seconds as hours, minutes and seconds.

    >>> clock_text(3725), clock_text(float("inf"))
    ('1:02:05', '-')
    """
    if not math.isfinite(seconds):
        return "-"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"
