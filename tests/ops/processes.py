"""Several processes on this machine that call one function together, and end whatever happens."""

from __future__ import annotations

import datetime
import multiprocessing
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist

from tricklab.ops.ranks import Ranks, together

PATIENCE_S = 120.0


def on_ranks(world: int, function: Callable[..., Any], folder: Path, *arguments: Any) -> list[Any]:
    """``function(ranks, *arguments)`` in ``world`` processes at once; what each returned, in order.

    Args:
        function: importable; tensors in what it returns come back as arrays.
        folder: an empty folder for the file by which they find each other.
    """
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    store = str(folder / "store")
    started = [
        context.Process(target=_go, args=(rank, world, store, function, arguments, results), daemon=True)
        for rank in range(world)
    ]
    try:
        for process in started:
            process.start()
        found = dict(results.get(timeout=PATIENCE_S) for _ in started)
    except queue.Empty:
        raise AssertionError("the processes did not end in time") from None
    finally:
        for process in started:
            process.join(5)
            process.kill()
            process.join()
    for rank in range(world):
        if isinstance(found[rank], Exception):
            raise found[rank]
    return [found[rank] for rank in range(world)]


def _go(rank: int, world: int, store: str, function: Any, arguments: Any, results: Any) -> None:
    torch.set_num_threads(1)
    try:
        dist.init_process_group(
            "gloo", f"file://{store}", rank=rank, world_size=world, timeout=datetime.timedelta(seconds=60)
        )
        group = dist.new_group(backend="gloo")
        found = Ranks(rank, world, dist.group.WORLD, group)
        with together(found):
            results.put((rank, _plain(function(found, *arguments))))
        dist.barrier()
        dist.destroy_process_group()
    except Exception as error:
        results.put((rank, error))


def _plain(value: Any) -> Any:
    # a tensor would be sent as shared memory, which goes with its process
    if isinstance(value, torch.Tensor):
        return value.detach().numpy()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
