"""The selective scan on the GPU: tile sizes, launches, partial sums to gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

TILE_NUMBERS = 1024  # steps × orders × channels that the four warps of a program hold at once
LAUNCH = {"num_warps": 4, "enable_fp_fusion": True}
MOST_GROUPS = 31  # two bits of a 64-bit integer say how each one walks


def tile_sizes(channels: int, orders: int) -> dict[str, int]:
    """The kernels' sizes: channels of a block, steps of a tile, orders rounded up to a power of two."""
    orders_up = 1 << (orders - 1).bit_length()
    block = 16 if channels <= 16 else 32
    return {
        "ORDERS": orders,
        "ORDERS_UP": orders_up,
        "BLOCK": block,
        "TILE": max(8, TILE_NUMBERS // (block * orders_up)),
    }


def empty_states(u: Tensor, A: Tensor, B: Tensor, keep: bool) -> Tensor:
    """Room for the state before each tile, float32 (batch, G, tiles, N, Dg)."""
    batch, length, groups, orders = B.shape
    channels = u.shape[2] // groups
    tiles = -(-length // tile_sizes(channels, orders)["TILE"]) if keep else 0
    return u.new_empty((batch, groups, tiles, orders, channels), dtype=torch.float32)


def _launch(u: Tensor, B: Tensor, codes: Sequence[int], height: int, width: int) -> tuple[Any, ...]:
    """Grid, integer arguments and sizes of either kernel."""
    batch, length, groups, orders = B.shape
    if groups > MOST_GROUPS:
        raise ValueError(f"backend 'triton' takes at most {MOST_GROUPS} groups, B {tuple(B.shape)} has {groups}")
    channels = u.shape[2] // groups
    sizes = tile_sizes(channels, orders)
    grid = (batch * groups, -(-channels // sizes["BLOCK"]))
    packed = sum(code << (2 * group) for group, code in enumerate(codes))
    numbers = (length, height, width, groups, channels, -(-length // sizes["TILE"]), packed)
    return grid, numbers, sizes


def _on(device: torch.device) -> Any:
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def forward(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, delta_bias: Tensor | None,
    codes: Sequence[int], height: int, width: int, softplus: bool, keep: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """y and the states before each tile; see ``operator``."""
    from tricklab.ops.selective_scan import triton_kernels

    grid, numbers, sizes = _launch(u, B, codes, height, width)
    u, delta, A, B, C = (tensor.contiguous() for tensor in (u, delta, A, B, C))
    y, states = torch.empty_like(u), empty_states(u, A, B, keep)
    skip, bias = (A if tensor is None else tensor.contiguous() for tensor in (D, delta_bias))
    if u.numel():
        with _on(u.device):
            triton_kernels.forward_kernel[grid](
                u, delta, A, B, C, skip, bias, y, states, *numbers,
                **sizes, **LAUNCH, KEEP=keep,
                SOFTPLUS=softplus, HAS_SKIP=D is not None, HAS_BIAS=delta_bias is not None,
            )  # fmt: skip
    return y, states


def backward(
    dy: Tensor, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None,
    delta_bias: Tensor | None, states: Tensor, codes: Sequence[int], height: int, width: int, softplus: bool,
) -> tuple[Tensor, ...]:  # fmt: skip
    """The gradients of all seven tensors; see ``operator``."""
    from tricklab.ops.selective_scan import triton_kernels

    grid, numbers, sizes = _launch(u, B, codes, height, width)
    dy, u, delta, A, B, C = (tensor.contiguous() for tensor in (dy, u, delta, A, B, C))
    skip, bias = (A if tensor is None else tensor.contiguous() for tensor in (D, delta_bias))
    du, ddelta = torch.empty_like(u), torch.empty_like(delta)
    batch = u.shape[0]
    rates, skips, biases = (
        u.new_empty(shape, dtype=torch.float32) for shape in ((batch, *A.shape), (batch, len(A)), (batch, len(A)))
    )
    db, dc = (u.new_empty((grid[1], *B.shape), dtype=torch.float32) for _ in range(2))
    if u.numel():
        with _on(u.device):
            triton_kernels.backward_kernel[grid](
                dy, u, delta, A, B, C, skip, bias, states, du, ddelta, rates, db, dc, skips, biases, *numbers,
                B.shape[0] * B.shape[1] * B.shape[2],
                **sizes, **LAUNCH, SOFTPLUS=softplus, HAS_SKIP=D is not None, HAS_BIAS=delta_bias is not None,
            )  # fmt: skip
    return (
        du,
        ddelta,
        rates.sum(0).to(A.dtype),
        db.sum(0).to(B.dtype),
        dc.sum(0).to(C.dtype),
        A.new_empty(0) if D is None else skips.sum(0).to(D.dtype),
        A.new_empty(0) if delta_bias is None else biases.sum(0).to(delta_bias.dtype),
    )
