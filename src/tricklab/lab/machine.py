"""What this machine offers to runs: cores, accelerators."""

from __future__ import annotations

import os


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
