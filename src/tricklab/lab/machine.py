"""What this machine offers to runs: cores, accelerators."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from tricklab.errors import UserError


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_devices() -> list[str]:
    """CUDA devices as ``CUDA_VISIBLE_DEVICES`` would name them; asks without starting CUDA in this process."""
    import torch

    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] if named else [str(place) for place in range(count)]


def device_kind(asked: str) -> str:
    """``cuda``, ``mps`` or ``cpu`` for a recipe's ``train.device``."""
    if asked != "auto":
        return asked.partition(":")[0]
    import torch

    if torch.cuda.device_count() > 0:
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def processes_of(cells: Iterable[Any]) -> int:
    """The most processes that a run of any of these cells trains with; 1 where cells are not recipes."""
    sections = [cell.recipe.get("train") for cell in cells]
    return max((section.get("devices", 1) for section in sections if isinstance(section, dict)), default=1)


def grouped(devices: Sequence[str | None], processes: int) -> list[str | None]:
    """Devices for runs of several processes each, as ``CUDA_VISIBLE_DEVICES`` names them; what is left over rests.

    Raises:
        UserError: there are fewer devices than a run needs.

    >>> grouped(["0", "1", "2"], 2)
    ['0,1']
    """
    if processes == 1 or not devices:
        return list(devices)
    if len(devices) < processes:
        raise UserError(
            f"a run trains on {processes} devices, and {len(devices)} are visible here",
            where="train.devices",
            fix=f"train.devices={len(devices)}",
        )
    last = len(devices) - processes
    return [",".join(map(str, devices[first : first + processes])) for first in range(0, last + 1, processes)]
