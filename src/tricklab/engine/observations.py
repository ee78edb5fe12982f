"""What was observed during an evaluation or between two rows, by all processes together."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tricklab.observe import Listener
from tricklab.ops.ranks import ranks


def drained(listener: Listener) -> dict[str, dict[str, float]]:
    """``listener.drain()`` of all processes together; each of them must ask."""
    if ranks().alone:
        return listener.drain()
    found: dict[str, dict[str, float]] = {}
    for one in ranks().tell(listener.drain()):
        for name, new in one.items():
            old = found.setdefault(name, {"count": 0.0, "mean": 0.0, "min": math.inf, "max": -math.inf})
            count = old["count"] + new["count"]
            found[name] = {
                "count": count,
                "mean": (old["count"] * old["mean"] + new["count"] * new["mean"]) / count,
                "min": min(old["min"], new["min"]),
                "max": max(old["max"], new["max"]),
            }
    return found


def observed(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Drained observations as keys of a row."""
    row: dict[str, float] = {}
    for name, values in sorted(found.items()):
        row[f"observe/{name}"] = values["mean"]
        row[f"observe/{name}/min"], row[f"observe/{name}/max"] = values["min"], values["max"]
    return row
