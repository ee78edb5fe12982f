"""Processes that train and evaluate one model together: which of them this is, and what they tell each other.

Nothing is shared without :func:`together`: a process that merely lives in somebody else's process group is alone.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """One process among ``world``; every process must call the same methods in the same order.

    Args:
        rank: number of this process, 0 … world-1.
        world: number of processes.
        group: process group for tensors on the devices; None for one process.
        host_group: process group for tensors on the CPU; None for one process.

    >>> Ranks(rank=1, world=3).share(10), Ranks(world=3).shares(2)
    (slice(3, 6, None), [0, 1, 1])
    """

    rank: int = 0
    world: int = 1
    group: Any = None
    host_group: Any = None

    @property
    def alone(self) -> bool:
        """Whether this is the only process."""
        return self.world == 1

    @property
    def first(self) -> bool:
        """Whether this process speaks for all: it alone writes files."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of ``count`` things in a row are this process's: neighbours, so that all shares in order are all."""
        return slice(count * self.rank // self.world, count * (self.rank + 1) // self.world)

    def shares(self, count: int) -> list[int]:
        """How many of ``count`` things each process has."""
        return [count * (r + 1) // self.world - count * r // self.world for r in range(self.world)]

    def rows(self, own: Tensor, counts: Sequence[int]) -> Tensor:
        """The rows of all processes in their order; only this process's own carry a gradient.

        Args:
            own: (counts[rank], …), any dtype; the other dimensions are equal everywhere.
            counts: rows of each process.
        """
        if self.alone:
            return own
        most, flat = max(counts), own.detach().contiguous()
        padded = flat.new_zeros((most, *own.shape[1:]))
        padded[: len(own)] = flat
        # bytes, since not every backend moves every type of number
        sent = padded.reshape(-1).view(torch.uint8)
        received = [torch.empty_like(sent) for _ in range(self.world)]
        dist.all_gather(received, sent, group=self._group(own))
        parts = [
            part.view(own.dtype).reshape(padded.shape)[:count] for part, count in zip(received, counts, strict=True)
        ]
        parts[self.rank] = own
        return torch.cat(parts)

    def over(self, parts: Sequence[T], compute: Callable[[T], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """What ``compute`` gives for each part, rows joined by name, each process computing its share of the parts.

        A part is computed as it would be by one process, so the result has the same bits.

        Args:
            parts: at least one, the same everywhere.
            compute: from a part to named rows (N, …) on the CPU; every part has the same names.

        >>> ALONE.over([1, 2], lambda count: {"ones": torch.ones(count)})
        {'ones': tensor([1., 1., 1.])}
        """
        found: dict[str, list[Tensor]] = {}
        for part in parts[self.share(len(parts))]:
            for name, rows in compute(part).items():
                found.setdefault(name, []).append(rows)
        own = {name: torch.cat(rows) for name, rows in found.items()}
        if self.alone:
            return own
        told = self.tell({name: [list(rows.shape), str(rows.dtype)] for name, rows in own.items()})
        whole = {}
        for name, ((_, *shape), dtype) in next(said for said in told if said).items():
            empty = torch.empty((0, *shape), dtype=getattr(torch, dtype.removeprefix("torch.")))
            counts = [said[name][0][0] if said else 0 for said in told]
            whole[name] = self.rows(own.get(name, empty), counts)
        return whole

    def tell(self, value: Any) -> list[Any]:
        """What every process passed, in order: numbers, strings, lists and mappings with string keys."""
        if self.alone:
            return [value]
        text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        lengths = [torch.empty(1, dtype=torch.int64) for _ in range(self.world)]
        dist.all_gather(lengths, torch.tensor([len(text)]), group=self.host_group)
        counts = [int(length) for length in lengths]
        whole = self.rows(text, counts)
        return [json.loads(bytes(part.tolist())) for part in whole.split(counts)]

    def largest(self, number: int) -> int:
        """The largest of the numbers that the processes passed."""
        if self.alone:
            return number
        found = torch.tensor([number])
        dist.all_reduce(found, op=dist.ReduceOp.MAX, group=self.host_group)
        return int(found)

    def total(self, own: Tensor) -> Tensor:
        """Sum over the processes, differentiable: the gradient of each share is the sum of what all ask for."""
        return own if self.alone else _Total.apply(own, self._group(own))

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Replace floating tensors, each the same shape everywhere, by their means over the processes."""
        if self.alone or not tensors:
            return
        flat = torch.cat([tensor.detach().double().reshape(-1) for tensor in tensors])
        dist.all_reduce(flat, group=self._group(flat))
        for tensor, mean in zip(tensors, (flat / self.world).split([t.numel() for t in tensors]), strict=True):
            tensor.detach().copy_(mean.reshape(tensor.shape))

    def wait(self) -> None:
        """Go on when every process has come here."""
        self.largest(0)

    def _group(self, tensor: Tensor) -> Any:
        return self.host_group if tensor.device.type == "cpu" else self.group


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, group: Any) -> Tensor:
        ctx.group = group
        found = own.detach().clone()
        dist.all_reduce(found, group=group)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        found = gradients[0].contiguous().clone()
        dist.all_reduce(found, group=ctx.group)
        return found, None


ALONE = Ranks()
_ACTIVE = [ALONE]


def ranks() -> Ranks:
    """The processes that work together now; one alone unless :func:`together` says otherwise."""
    return _ACTIVE[-1]


@contextlib.contextmanager
def together(found: Ranks) -> Iterator[Ranks]:
    """Share the work among processes inside the ``with`` block, which all of them enter."""
    _ACTIVE.append(found)
    try:
        yield found
    finally:
        _ACTIVE.pop()
