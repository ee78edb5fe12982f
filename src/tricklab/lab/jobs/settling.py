"""How a run that is not the engine's ends: its state, its reason and its result."""

from __future__ import annotations

import math
import resource
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from tricklab.errors import UserError
from tricklab.lab.disk import is_full
from tricklab.records import RunFolder, environment


class Failed(Exception):
    """The run itself went wrong: an outcome, not a mishap. ``kind`` is ``exception`` or ``non-finite``."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def settle(folder: RunFolder, work: Callable[[], dict[str, Any]], *, threads: int, metric_code: str | None) -> None:
    """Do ``work`` (it returns named numbers) under the folder's lock and write state and result.

    A non-finite metric, a ``Failed``, any exception and ``sys.exit`` are ``failed``; a UserError is ``refused``;
    Ctrl-C, exhausted memory and a full disk are ``interrupted``, to be tried again.
    """
    declared = folder.recipe
    metric = declared["metric"]
    with folder.lock():
        folder.set_status("running")
        begin = time.perf_counter()
        try:
            values = work()
            value = _value(values, metric["name"])
        except UserError as error:
            return folder.set_status("refused", reason="user error", message=str(error))
        except Failed as error:
            folder.event("failure", reason=error.kind, message=str(error))
            return folder.set_status("failed", reason=error.kind, message=str(error))
        except (KeyboardInterrupt, SystemExit, Exception) as error:
            trace = traceback.format_exc()
            mishap = _mishap(error)
            message = f"{type(error).__name__}: {error}"
            try:
                folder.event("failure", reason=mishap or "exception", message=str(error), traceback=trace)
            except OSError:
                if mishap is None:
                    raise
            if mishap:
                return folder.set_status("interrupted", reason=mishap, message=message)
            return folder.set_status("failed", reason="exception", message=message)
        wall = time.perf_counter() - begin
        found = environment()
        folder.add_provenance({"environment": found})
        folder.write_result(
            {
                "metric": {**metric, "value": value},
                "values": {name: number for name, number in values.items() if math.isfinite(number)},
                "cost": {
                    "wall_s": wall,
                    "device": _device(),
                    "threads": threads,
                    "peak_memory_mb": _peak_memory_mb(),
                },
                "metric_code": metric_code,
                "data_digest": None,
                "fit_from": None,
                "versions": found.get("versions"),
            }
        )
        folder.set_status("finished", metric=value)


def _value(values: dict[str, Any], name: str) -> float:
    value = float(values[name])
    if not math.isfinite(value):
        raise Failed("non-finite", f"{name} is {value}")
    return value


def _mishap(error: BaseException) -> str | None:
    """The reason if this is nobody's fault but the machine's, else None."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out of memory"
    if isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error):
        return "out of memory"
    return "disk full" if is_full(error) else None


def _device() -> str:
    torch = sys.modules.get("torch")
    return "cuda" if torch is not None and torch.cuda.is_initialized() else "cpu"


def _peak_memory_mb() -> float:
    unit = 1024 if sys.platform.startswith("linux") else 2**20
    own, below = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(max(own, below) / unit, 1)
