"""What the benchmarks share: sides in processes of their own that take turns, and one way to print."""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

import torch

Row = dict[str, Any]
Prepare = Callable[..., Callable[[], Any]]


class Side:
    """One way to do the work, in a process of its own: its allocator is its own too.

    Args:
        prepare: builds everything and returns the step that is timed; a function of a module.
        arguments: passed to ``prepare``.
        threads: CPU threads of the process.
    """

    def __init__(self, prepare: Prepare, *arguments: Any, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, prepare, arguments, threads), daemon=True)
        self._process.start()
        theirs.close()

    def step_s(self) -> float:
        """Run one step; its wall-clock time in seconds."""
        self._pipe.send("step")
        return self._pipe.recv()

    def result(self) -> Any:
        """What the last step returned."""
        self._pipe.send("result")
        return self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._pipe.send("end")
        self._process.join()


def _serve(pipe: Connection, prepare: Prepare, arguments: tuple[Any, ...], threads: int) -> None:
    torch.set_num_threads(threads)
    step = prepare(*arguments)
    result: Any = None
    while (asked := pipe.recv()) != "end":
        if asked == "result":
            pipe.send(result)
            continue
        begin = time.perf_counter()
        result = step()
        pipe.send(time.perf_counter() - begin)


def turns_s(sides: Sequence[Side], repeats: int, warm: int = 1) -> list[float]:
    """Best time of a step of each side; they take turns, and what else the machine does only ever adds time."""
    times: list[list[float]] = [[] for _ in sides]
    for turn in range(warm + repeats):
        for side, found in zip(sides, times, strict=True):
            taken = side.step_s()
            if turn >= warm:
                found.append(taken)
    return [min(found) for found in times]


def time_row(name: str, peer: str, ours_s: float, peer_s: float, bar: float | None = None, **more: Any) -> Row:
    """A line about time; ``bar`` is the ratio that must be reached."""
    return {
        "name": name,
        "peer": peer,
        "ours_s": ours_s,
        "peer_s": peer_s,
        "ratio": peer_s / ours_s,
        "bar": bar,
        **more,
    }


def memory_row(name: str, peer: str, ours_bytes: int, peer_bytes: int, bar: float | None = None, **more: Any) -> Row:
    """A line about memory."""
    numbers = {"ours_bytes": ours_bytes, "peer_bytes": peer_bytes, "ratio": peer_bytes / ours_bytes}
    return {"name": name, "peer": peer, **numbers, "bar": bar, **more}


def times_in_turns_s(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Processor times of each way, without the first; they take turns, so that a busy machine disturbs all alike."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            times[name].append(time.process_time() - start)
    return {name: found[1:] for name, found in times.items()}


def medians_s(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median processor time of each way in seconds, in turns."""
    return {name: statistics.median(found) for name, found in times_in_turns_s(ways, repeats).items()}


def parser(about: str) -> argparse.ArgumentParser:
    """The options that every benchmark takes."""
    options = argparse.ArgumentParser(description=about)
    options.add_argument("--json", action="store_true", help="print one JSON document")
    options.add_argument("--quick", action="store_true", help="fewer repeats, for a first look")
    options.add_argument("--threads", type=int, default=min(2, multiprocessing.cpu_count()), help="CPU threads")
    return options


def show(results: list[Row], as_json: bool) -> int:
    """Print the results; the exit code is 1 when a bar is missed."""
    if as_json:
        print(json.dumps({"results": results}, indent=1))
    else:
        for row in results:
            unit = "s" if "ours_s" in row else "bytes"
            numbers = "  ".join(f"{who} {row[f'{who}_{unit}']:.4g} {unit}" for who in ("ours", "peer"))
            bar = "" if row["bar"] is None else f"  (bar {row['bar']:g})"
            print(f"{row['name']}\n    against {row['peer']}: {numbers}  ratio {row['ratio']:.2f}{bar}")
    return int(any(row["bar"] is not None and row["ratio"] < row["bar"] for row in results))
