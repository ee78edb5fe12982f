"""Functions that the tests ablate: importable, seconds cheaper than a training, and as random as one."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np


def noisy(seed: int, lr: float = 0.1, flip: bool = False, wide: int = 0) -> float:
    """A score with a block effect, a run's noise, and a gain of 0.05 by ``flip``."""
    block = np.random.default_rng(seed)
    own = np.random.default_rng([seed, int(1000 * lr), int(flip), wide])
    return float(0.8 + block.normal(0, 0.02) + own.normal(0, 0.005) + 0.05 * flip)


def named(seed: int, block: int, flip: bool = False) -> dict[str, float]:
    """Several numbers; ``accuracy`` is the one to judge."""
    return {"accuracy": noisy(seed, flip=flip), "loss": 1.0, "block": float(block)}


def exploding(seed: int, mode: str = "fine") -> float:
    """Raises, diverges, or returns nothing of use, as ``mode`` says."""
    if mode == "raises":
        raise RuntimeError("the arm is broken")
    if mode == "sometimes" and seed % 2:
        raise RuntimeError("bad luck")
    if mode == "nan":
        return float("nan")
    if mode == "text":
        return "no number"  # type: ignore[return-value]
    return noisy(seed)


def dying(seed: int, block: int, marks: str = "", flip: bool = False) -> float:
    """Killed the first time it runs with ``flip``; counts its attempts in the folder ``marks``."""
    if flip and marks:
        mark = Path(marks) / f"{block}"
        attempts = int(mark.read_text()) + 1 if mark.exists() else 1
        mark.write_text(str(attempts))
        if attempts == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    return noisy(seed, flip=flip)


def always_dying(seed: int, flip: bool = False) -> float:
    """Killed whenever it runs."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


def dying_with_flip(seed: int, flip: bool = False) -> float:
    """Killed whenever it runs with ``flip``."""
    if flip:
        os.kill(os.getpid(), signal.SIGKILL)
    return noisy(seed)


def hungry(seed: int, block: int, marks: str = "", flip: bool = False) -> float:
    """Out of memory the first time it runs with ``flip``."""
    mark = Path(marks) / f"{block}"
    if flip and marks and not mark.exists():
        mark.touch()
        raise MemoryError("no more")
    return noisy(seed, flip=flip)


def shape_of(seed: int, flip: bool = False) -> Any:
    """The environment a run sees, as numbers."""
    return {"score": noisy(seed), "threads": float(os.environ["OMP_NUM_THREADS"]), "pid": float(os.getpid())}


def waiting(seed: int, block: int, marks: str = "", flip: bool = False) -> float:
    """Writes its process number and never ends."""
    folder = Path(marks or os.environ["TRICKLAB_TEST_MARKS"])
    (folder / f"{os.getpid()}.pid").touch()
    while True:
        signal.pause()


def speaks() -> None:
    """Prints what it sees of its environment."""
    print(os.environ["TRICKLAB_TEST"], os.environ["OMP_NUM_THREADS"], os.environ.get("TRICKLAB_OTHER"))


def raises() -> None:
    raise RuntimeError("no")


def leaves() -> None:
    os._exit(7)
