"""A running mean that weighs every value by its number of samples."""

from __future__ import annotations

from typing import Any


class AverageMeter:
    """Sample-weighted running mean of a number, such as an epoch's loss.

    A batch of 3 counts three times a batch of 1. Tensors stay on their device until a mean is asked for, so that
    ``update`` does not wait for an accelerator.

    >>> meter = AverageMeter("loss")
    >>> meter.update(1.0, n=3)
    >>> meter.update(5.0, n=1)
    >>> meter.mean, meter.sum, meter.count, meter.last
    (2.0, 8.0, 4, 5.0)
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._sum: Any = 0.0
        self._last: Any = 0.0
        self.count = 0

    def update(self, value: Any, n: int = 1) -> None:
        """Add the mean ``value`` (number or 0-d tensor) of ``n`` samples; n = 0 changes nothing."""
        if n < 0:
            raise ValueError(f"a mean is of no less than 0 samples, not {n}")
        if n == 0:
            return
        if hasattr(value, "detach"):
            value = value.detach()
            # half precision would lose small terms of a long sum
            value = value.double() if value.device.type == "cpu" else value.float()
        self._sum = self._sum + value * n
        self._last = value
        self.count += n

    @property
    def sum(self) -> float:
        """Sum over samples."""
        return float(self._sum)

    @property
    def mean(self) -> float:
        """Mean over samples; nan before the first."""
        return float(self._sum) / self.count if self.count else float("nan")

    @property
    def last(self) -> float:
        """The value added last."""
        return float(self._last)

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers from which ``load_state_dict`` goes on."""
        return {"sum": self.sum, "last": self.last, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self._sum, self._last, self.count = state["sum"], state["last"], state["count"]

    def __repr__(self) -> str:
        return f"{self.name or 'mean'} {self.mean:.6g} over {self.count}"
