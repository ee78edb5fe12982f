"""What every context block is: a map of features to features of the same shape, which says how much it changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.observe import observe

Assign = Callable[[Tensor], tuple[Tensor, Tensor]]
Think = Callable[[Tensor], Tensor]


class ContextBlock(nn.Module, ABC):
    """Base of the components of kind ``context``: a subclass writes the method ``context``.

    A head builds one by ``registry.build("context", {"type": "GloRe"}, channels=64)``.

    Shape:
        (N, channels, H, W) float, any H and W from 1; the output has the same shape and dtype.

    Observes ``context/<type>/change``: the root mean square of output less input, as a share of the input's.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 1:
            raise UserError(f"{type(self).__name__} needs at least one channel, not {channels}")
        self.channels = channels

    @abstractmethod
    def context(self, x: Tensor) -> Tensor:
        """The block's function of (N, channels, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise UserError(
                f"{type(self).__name__} was built for (N, {self.channels}, H, W), "
                f"but its input has shape {tuple(x.shape)}",
                fix="put it after a module whose output is a map of that many channels",
            )
        y = self.context(x)
        with torch.no_grad():
            change = (y - x).float().square().mean() / x.float().square().mean().clamp_min(1e-30)
            observe(f"context/{type(self).__name__}/change", change.sqrt())
        return y

    def hidden(self, reduction: int) -> int:
        """Channels divided by ``reduction``, at least one.

        Raises:
            UserError: ``reduction`` is less than 1.
        """
        return max(self.channels // self.at_least_one("reduction", reduction), 1)

    def at_least_one(self, name: str, value: int) -> int:
        """The value of an argument that counts something.

        Raises:
            UserError: it is less than 1.
        """
        if value < 1:
            raise UserError(f"{name} of {type(self).__name__} must be at least 1, not {value}")
        return value


def through_nodes(x: Tensor, assign: Assign, think: Think | None) -> Tensor:
    """Assign, reason, distribute: pixels gathered into nodes, nodes changed, nodes spread over pixels again.

    Args:
        x: (N, C, H, W).
        assign: gives nodes (N, K, C') and each node's map (N, K, HW), by which it is spread.
        think: changes the nodes; None leaves out this step (``reason: identity``).

    Returns:
        (N, C', H, W), of rank at most K as a matrix of pixels and channels.
    """
    nodes_NKC, maps_NKP = assign(x)
    if think is not None:
        nodes_NKC = think(nodes_NKC)
    return torch.einsum("nkc,nkp->ncp", nodes_NKC, maps_NKP).unflatten(2, tuple(x.shape[2:]))


def single(x: Tensor) -> Tensor:
    """At least single precision: halves are widened."""
    return x if x.dtype is torch.float64 else x.float()


def summed_over_pixels(first: Tensor, second: Tensor) -> Tensor:
    """The matrix product in single precision at least, also under autocast: sums over a map overflow half precision."""
    with without_autocast(first):
        return single(first) @ single(second)


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """A block whose operations keep the precision of their inputs; ``x`` names the device."""
    # shapes alone (the device meta) know no autocast
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)
