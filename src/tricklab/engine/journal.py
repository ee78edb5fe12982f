"""Every number of a training on its way to ``metrics.jsonl``, the loggers and the terminal."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from tricklab.engine.clock import RunClock
from tricklab.engine.observations import drained
from tricklab.metrics import AverageMeter
from tricklab.observe import Listener
from tricklab.records import RunFolder

Row = dict[str, Any]
Sink = Callable[[Row], None]
MOST_PENDING = 1000


class NonFinite(ArithmeticError):
    """A loss term is no longer a finite number.

    Args:
        term: name of the term, such as ``loss/CrossEntropyLoss.main``.
        value: what it is.
        step: number of the optimizer step that the micro-batch belonged to, from 1.
        batch: micro-batch within the epoch, from 0.
        epoch: the epoch, from 0.
    """

    def __init__(self, term: str, value: float, step: int, batch: int, epoch: int) -> None:
        self.term, self.value, self.step, self.batch, self.epoch = term, value, step, batch, epoch
        super().__init__(f"{term} is {value} at step {step} (epoch {epoch}, micro-batch {batch})")


class Journal:
    """Collects the losses of micro-batches and writes rows.

    Loss values stay on the device until a row is due (on a CPU they are read at once), so that logging does not force
    a synchronisation at every step. Means are weighted by the number of samples.

    Args:
        run: the folder that gets the rows.
        clock: the training's arithmetic.
        listener: what ``observe`` reports to.
        device: where the model runs.
        sinks: called with every row after it is written: progress, loggers.
    """

    def __init__(
        self, run: RunFolder, clock: RunClock, listener: Listener, device: torch.device, sinks: Sequence[Sink] = ()
    ) -> None:
        self.run, self.clock, self.listener, self.device, self.sinks = run, clock, listener, device, list(sinks)
        self.rows: list[Row] = run.metrics()
        self.wall_before = 0.0
        self._started = time.perf_counter()
        self._started_at_step = 0
        self._pending: list[tuple[int, int, int, int, dict[str, torch.Tensor]]] = []
        self._epoch = 0
        self._epoch_means: dict[str, AverageMeter] = {}
        self._row_means: dict[str, AverageMeter] = {}
        self._observed: dict[str, list[float]] = {}
        self._times = [0, 0.0, 0.0]
        self._clipped = AverageMeter()

    @property
    def wall_s(self) -> float:
        """Seconds of training so far, those before a stop included."""
        return self.wall_before + time.perf_counter() - self._started

    def begin(self, step: int) -> None:
        """Start the clock of this leg of the training, which begins after ``step`` steps."""
        self._started, self._started_at_step = time.perf_counter(), step

    def keep(self, step: int, batch: int, epoch: int, samples: int, losses: Mapping[str, torch.Tensor]) -> None:
        """Keep one micro-batch's losses.

        Raises:
            NonFinite: on a CPU at once, on other devices when the next row is due, or after ``MOST_PENDING``.
        """
        self._pending.append((step, batch, epoch, samples, {name: loss.detach() for name, loss in losses.items()}))
        if self.device.type == "cpu" or len(self._pending) == MOST_PENDING:
            self._settle()

    def time(self, data_s: float, step_s: float) -> None:
        """Add one micro-batch's waiting time for data and its whole time."""
        self._times[0] += 1
        self._times[1] += data_s
        self._times[2] += step_s

    def clip(self, cut: torch.Tensor) -> None:
        """Add whether a step's gradient was cut, 0 or 1."""
        self._clipped.update(cut)

    def collect_observed(self) -> None:
        """Take over what was observed so far; called before an evaluation, whose own follow."""
        for name, found in drained(self.listener).items():
            count, total = found["count"], found["count"] * found["mean"]
            known = self._observed.setdefault(name, [0.0, 0.0, math.inf, -math.inf])
            known[:] = [known[0] + count, known[1] + total, min(known[2], found["min"]), max(known[3], found["max"])]

    def training_row(self, step: int, lr: float, grad_norm: float | None) -> Row:
        """Write the row of a step: means since the last row, and running means of the epoch."""
        self._settle()
        self.collect_observed()
        count, data_s, step_s = self._times
        iterations = max(count / self.clock.accumulate, 1e-12)
        row: Row = {
            **self.place("train", step),
            "lr": lr,
            "eta_s": self.eta(step),
            "time": step_s / iterations,
            "data_time": data_s / iterations,
            "memory_mb": peak_memory_mb(self.device),
            "grad_norm": grad_norm,
        }
        if self._clipped.count:
            row["clipped"] = self._clipped.mean
            self._clipped.reset()
        for name, meter in self._row_means.items():
            row[name] = meter.mean
            row[f"{name}_mean"] = self._epoch_means[name].mean
        for name, (number, total, low, high) in sorted(self._observed.items()):
            row[f"observe/{name}"] = total / number
            row[f"observe/{name}/min"], row[f"observe/{name}/max"] = low, high
        self._row_means, self._observed, self._times = {}, {}, [0, 0.0, 0.0]
        return self.write(row)

    def place(self, phase: str, step: int) -> Row:
        """What every row begins with."""
        return {
            "phase": phase,
            "step": step,
            "epoch": round(self.clock.epoch_at(step), 6),
            "samples_seen": self.clock.samples_at(step),
            "wall_s": round(self.wall_s, 4),
        }

    def write(self, row: Row) -> Row:
        """Append a row and hand it to every sink."""
        row = self.run.append_metrics(row)
        self.rows.append(row)
        for sink in self.sinks:
            sink(row)
        return row

    def eta(self, step: int) -> float:
        """Seconds that the remaining steps will take at the mean pace of this leg."""
        done = step - self._started_at_step
        elapsed = time.perf_counter() - self._started
        return elapsed / done * (self.clock.total_steps - step) if done > 0 else math.inf

    def _settle(self) -> None:
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        # widened on the CPU, since not every device has float64
        values = torch.stack([loss for *_, losses in pending for loss in losses.values()]).cpu().double().tolist()
        numbers = iter(values)
        for step, batch, epoch, samples, losses in pending:
            if epoch != self._epoch:
                self._epoch, self._epoch_means = epoch, {}
            found = {name: next(numbers) for name in losses}
            # the single terms come first: the total is non-finite only because one of them is
            for name, value in sorted(found.items(), key=lambda item: item[0] == "loss"):
                if not math.isfinite(value):
                    raise NonFinite(name, value, step, batch, epoch)
                for means in (self._row_means, self._epoch_means):
                    means.setdefault(name, AverageMeter()).update(value, samples)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs to write the same rows."""
        self._settle()
        return {
            "wall_s": self.wall_s,
            "epoch": self._epoch,
            "row": {name: meter.state_dict() for name, meter in self._row_means.items()},
            "running": {name: meter.state_dict() for name, meter in self._epoch_means.items()},
            "listener": self.listener.state_dict(),
            "observed": {name: list(kept) for name, kept in self._observed.items()},
            "times": list(self._times),
            "clipped": self._clipped.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self.wall_before = float(state["wall_s"])
        self._epoch = int(state["epoch"])
        self._row_means = {name: _meter(kept) for name, kept in state["row"].items()}
        self._epoch_means = {name: _meter(kept) for name, kept in state["running"].items()}
        self.listener.load_state_dict(
            {name: tuple(_onto(part, self.device) for part in kept) for name, kept in state["listener"].items()}
        )
        self._observed = {name: list(kept) for name, kept in state["observed"].items()}
        self._times = list(state["times"])
        self._clipped = _meter(state["clipped"])


def peak_memory_mb(device: torch.device) -> float:
    """Peak memory in MiB: what torch allocated on a GPU, the process's resident set on a CPU."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def _meter(state: dict[str, Any]) -> AverageMeter:
    meter = AverageMeter()
    meter.load_state_dict(state)
    return meter


def _onto(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, torch.Tensor) else value
