"""The selective scan on the CPU: tensors to flat arrays, work items to threads, partial sums to gradients."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tricklab.ops.selective_scan.lanes import LANES

TILE_NUMBERS = 1024  # of each scratch array: all of them stay in the first-level cache
THREAD_NUMBERS = 2**17  # of u: starting a thread costs as much as some twenty thousand


def _tile(channels: int, orders: int) -> int:
    padded = -(-channels // LANES) * LANES
    return max(4, TILE_NUMBERS // (padded * orders))


def _dtype(*tensors: Tensor | None) -> torch.dtype:
    return torch.float64 if any(t is not None and t.dtype == torch.float64 for t in tensors) else torch.float32


def empty_states(u: Tensor, A: Tensor, B: Tensor, keep: bool) -> Tensor:
    """Room for the state before each tile, (batch, G, tiles, N, Dg)."""
    batch, length, groups, orders = B.shape
    channels = u.shape[2] // groups
    tiles = -(-length // _tile(channels, orders)) if keep else 0
    return u.new_empty((batch, groups, tiles, orders, channels), dtype=_dtype(u, A, B))


def _flat(tensor: Tensor, dtype: torch.dtype) -> np.ndarray:
    if tensor.dtype != dtype:
        tensor = tensor.to(dtype)
    return tensor.contiguous().numpy().reshape(-1)


def _inputs(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, delta_bias: Tensor | None,
    codes: Sequence[int], height: int, width: int, softplus: bool, dtype: torch.dtype,
) -> tuple[Any, ...]:  # fmt: skip
    """What both kernels take, in their order."""
    length, groups, orders = B.shape[1:]
    channels = u.shape[2] // groups
    rate_GNC = A if orders == 1 else A.unflatten(0, (groups, channels)).transpose(1, 2)
    skip, bias = (u.new_zeros(groups * channels) if tensor is None else tensor for tensor in (D, delta_bias))
    arrays = (_flat(tensor, dtype) for tensor in (u, delta, rate_GNC, B, C, skip, bias))
    sizes = (length, groups, channels, orders)
    return (*arrays, *sizes, *_walks(tuple(codes), height), width, softplus, _tile(channels, orders))


@functools.lru_cache(maxsize=64)
def _walks(codes: tuple[int, ...], height: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each group: the height of its columns, 1 where it walks along the rows; whether it walks backwards."""
    return np.array([height if code & 1 else 1 for code in codes]), np.array([code >= 2 for code in codes])


def _spread(kernel: Callable[..., None], items: int, numbers: int, before: tuple[Any, ...], *after: Any) -> None:
    """Run the kernel over all items on as many threads as torch uses; which thread does an item changes no bit."""
    threads = min(torch.get_num_threads() if numbers >= THREAD_NUMBERS else 1, items)
    if threads < 2:
        return kernel(*before, 0, items, *after)
    bounds = [items * k // threads for k in range(threads + 1)]
    parts = [(*before, first, last, *after) for first, last in itertools.pairwise(bounds)]
    kernel(*before, 0, 0, *after)  # compiles, if need be, before the threads start
    helpers = [threading.Thread(target=kernel, args=part) for part in parts[1:]]
    for helper in helpers:
        helper.start()
    kernel(*parts[0])
    for helper in helpers:
        helper.join()


def forward(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, delta_bias: Tensor | None,
    codes: Sequence[int], height: int, width: int, softplus: bool, keep: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """y and the states before each tile; see ``operator``."""
    from tricklab.ops.selective_scan import cpu_kernels

    states = empty_states(u, A, B, keep)
    inputs = _inputs(u, delta, A, B, C, D, delta_bias, codes, height, width, softplus, states.dtype)
    y = torch.empty(u.shape, dtype=states.dtype)
    items = B.shape[0] * B.shape[2]
    _spread(cpu_kernels.forward, items, u.numel(), inputs, y.view(-1).numpy(), states.view(-1).numpy())
    return y.to(u.dtype), states


def backward(
    dy: Tensor, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None,
    delta_bias: Tensor | None, states: Tensor, codes: Sequence[int], height: int, width: int, softplus: bool,
) -> tuple[Tensor, ...]:  # fmt: skip
    """The gradients of all seven tensors; see ``operator``."""
    from tricklab.ops.selective_scan import cpu_kernels

    dtype = states.dtype
    batch, _, groups, orders = B.shape
    channels = u.shape[2] // groups
    inputs = _inputs(u, delta, A, B, C, D, delta_bias, codes, height, width, softplus, dtype)
    du, ddelta, db, dc = (torch.empty(tensor.shape, dtype=dtype) for tensor in (u, u, B, C))
    rates = torch.empty((batch, groups, orders, channels), dtype=dtype)
    skips, biases = (torch.empty((batch, groups * channels), dtype=dtype) for _ in range(2))
    found = (tensor.view(-1).numpy() for tensor in (states, du, ddelta, rates, db, dc, skips, biases))
    _spread(cpu_kernels.backward, batch * groups, u.numel(), (_flat(dy, dtype), *inputs), *found)
    return (
        du.to(u.dtype),
        ddelta.to(delta.dtype),
        rates.sum(0).transpose(1, 2).reshape(A.shape).to(A.dtype),
        db.to(B.dtype),
        dc.to(C.dtype),
        A.new_empty(0) if D is None else skips.sum(0).to(D.dtype),
        A.new_empty(0) if delta_bias is None else biases.sum(0).to(delta_bias.dtype),
    )
