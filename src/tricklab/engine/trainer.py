"""Lightning's Trainer as tricklab uses it: the loop, devices and precision; everything else is switched off."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.strategies import Strategy

from tricklab.engine.checkpoint import SafeCheckpointIO
from tricklab.engine.clock import RunClock
from tricklab.errors import UserError

_EXPECTED = (
    r".*does not have many workers.*",
    r".*your dataloader is not resumable.*",
    r".*module\(s\) in eval mode at the start of training.*",
    r".*available but not used.*",
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",
    r".*find_unused_parameters=True was specified.*",
)


def pick_device(name: str) -> torch.device:
    """The device behind ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    Raises:
        UserError: the name is unknown or the machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise UserError(f"unknown device {name!r}", where="train.device", fix="auto, cpu, cuda, cuda:1 or mps")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device {name!r} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices",
            where="train.device",
            fix="use device=auto or cpu",
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device 'mps' was asked for, but torch sees none", where="train.device", fix="use device=auto")
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device


def pick_devices(name: str, world: int) -> list[torch.device]:
    """One device for each of ``world`` processes: CUDA devices from the first on, or the CPU for all.

    Raises:
        UserError: the machine has too few, or the device cannot be shared out.
    """
    first = pick_device(name)
    if world == 1:
        return [first]
    if ":" in name or first.type == "mps":
        raise UserError(
            f"{world} processes do not train on {name if ':' in name else first.type}",
            where="train.devices",
            fix="train.device=cuda or cpu, or train.devices=1",
        )
    if first.type == "cpu":
        return [first] * world
    if world > torch.cuda.device_count():
        raise UserError(
            f"{world} devices were asked for, but torch sees {torch.cuda.device_count()}",
            where="train.devices",
            fix=f"train.devices={torch.cuda.device_count()}, or train.device=cpu",
        )
    return [torch.device("cuda", place) for place in range(world)]


def build_trainer(
    clock: RunClock,
    callbacks: Sequence[Callback],
    *,
    device: torch.device,
    precision: str,
    folder: Any,
    strategy: Strategy | None = None,
    world: int = 1,
) -> Trainer:
    """A Trainer that runs to ``clock.total_steps`` and writes nothing by itself.

    Args:
        device: this process's.
        strategy: how ``world`` processes work together; None for one.

    Raises:
        UserError: the precision does not exist on the device.
    """
    if precision == "16-mixed" and device.type == "cpu":
        raise UserError(
            "float16 with loss scaling needs a GPU", where="train.precision", fix="use bf16-mixed or 32-true on a CPU"
        )
    if precision == "64-true" and device.type == "mps":
        raise UserError("this device has no float64", where="train.precision", fix="use 32-true, or device=cpu")
    one: Any = [device.index or 0] if device.type == "cuda" else 1
    return Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=one if strategy is None else world,
        strategy="auto" if strategy is None else strategy,
        precision=precision,  # type: ignore[arg-type]
        max_epochs=-1,
        max_steps=clock.total_steps,
        accumulate_grad_batches=clock.accumulate,
        callbacks=list(callbacks),
        plugins=[SafeCheckpointIO()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        default_root_dir=folder,
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what Lightning says about things that are so on purpose; other warnings pass."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    # a cluster's environment variables must not turn one run into a distributed one
    hidden = {name: os.environ.pop(name) for name in ("SLURM_NTASKS", "SLURM_JOB_NAME") if name in os.environ}
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            for pattern in _EXPECTED:
                warnings.filterwarnings("ignore", message=pattern)
            yield
    finally:
        os.environ.update(hidden)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
