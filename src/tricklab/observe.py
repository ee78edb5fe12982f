"""How a number leaves any room: ``observe("ohem/kept", tensor)``. Nothing happens without a listener.

Counts, sums, minima and maxima are kept on the tensor's own device; only :meth:`Listener.drain` synchronises.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

_LISTENERS: list[Listener] = []


class Listener:
    """Collects what was observed since the last drain.

    >>> with listening() as listener:
    ...     observe("kept", 0.5)
    ...     observe("kept", 0.7)
    >>> round(listener.drain()["kept"]["mean"], 3)
    0.6
    """

    def __init__(self) -> None:
        self._kept: dict[str, list[Any]] = {}

    def take(self, name: str, count: int, total: Any, low: Any, high: Any) -> None:
        """Add one observation of ``count`` values: their sum, minimum and maximum (floats or 0-d tensors)."""
        kept = self._kept.get(name)
        if kept is None:
            self._kept[name] = [count, total, low, high]
            return
        kept[0] += count
        kept[1] = kept[1] + total
        kept[2] = _smaller(kept[2], low)
        kept[3] = -_smaller(-kept[3], -high)

    def drain(self) -> dict[str, dict[str, float]]:
        """Everything observed since the last drain: ``{name: {count, mean, min, max}}``; empties the listener."""
        kept, self._kept = self._kept, {}
        return {
            name: {"count": float(count), "mean": float(total) / count, "min": float(low), "max": float(high)}
            for name, (count, total, low, high) in kept.items()
        }

    def state_dict(self) -> dict[str, tuple[Any, ...]]:
        """What is kept, as it is: a stopped training goes on with the same sums, bit for bit."""
        return {name: tuple(kept) for name, kept in self._kept.items()}

    def load_state_dict(self, state: dict[str, tuple[Any, ...]]) -> None:
        """Go on from ``state_dict``."""
        self._kept = {name: list(kept) for name, kept in state.items()}


def observe(name: str, value: Any) -> None:
    """Report a float or every element of a tensor under a name; costs nothing when nobody listens."""
    if not _LISTENERS:
        return
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        if value.numel() == 0:
            return
        flat = value.detach().to(torch.float32)
        count, total, low, high = flat.numel(), flat.sum(dtype=torch.float32), flat.amin(), flat.amax()
        for listener in _LISTENERS:
            listener.take(name, count, total, low, high)
        return
    number = float(value)
    for listener in _LISTENERS:
        listener.take(name, 1, number, number, number)


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """Listen to everything observed inside the ``with`` block."""
    listener = Listener()
    _LISTENERS.append(listener)
    try:
        yield listener
    finally:
        _LISTENERS.remove(listener)


def _smaller(left: Any, right: Any) -> Any:
    torch = sys.modules.get("torch")
    if torch is not None and (isinstance(left, torch.Tensor) or isinstance(right, torch.Tensor)):
        left, right = torch.as_tensor(left), torch.as_tensor(right)
        return torch.minimum(left, right.to(left.device))
    return min(left, right)
