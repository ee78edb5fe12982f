"""The selective scan in plain torch, for devices and installations without a fused kernel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

SHORT = 64  # up to here a loop over the steps is faster than the parallel scan


def recurrence_loop(gate: Tensor, drive: Tensor) -> Tensor:
    """h ← gate · h + drive along dimension 1, from h = 0; (batch, L, …)."""
    state = torch.zeros_like(drive[:, 0])
    states = []
    for a, b in zip(gate.unbind(1), drive.unbind(1), strict=True):
        state = a * state + b
        states.append(state)
    return torch.stack(states, dim=1)


def recurrence_parallel(gate: Tensor, drive: Tensor) -> Tensor:
    """The same in 2 log₂ L rounds: join neighbours, scan the half, fill in what lies between. No division."""
    length = gate.shape[1]
    if length == 1:
        return drive
    even = length - length % 2
    first_gate, gate_2 = gate[:, :even].unflatten(1, (-1, 2)).unbind(2)
    first_drive, drive_2 = drive[:, :even].unflatten(1, (-1, 2)).unbind(2)
    odd = recurrence_parallel(first_gate * gate_2, gate_2 * first_drive + drive_2)
    between = torch.cat([drive[:, :1], gate[:, 2::2] * odd[:, : (length - 1) // 2] + drive[:, 2::2]], dim=1)
    paired = torch.stack([between[:, : even // 2], odd], dim=2).flatten(1, 2)
    return paired if even == length else torch.cat([paired, between[:, -1:]], dim=1)


def parallel_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, delta_bias: Tensor | None,
    directions: Sequence[str], size: tuple[int, int], softplus: bool,
) -> Tensor:  # fmt: skip
    """Arguments as in ``selective_scan``; keeps states (batch, L, G, Dg, N) for autograd."""
    if u.numel() == 0:
        return u * delta  # empty, and in the graph
    kept, (length, groups) = u.dtype, B.shape[1:3]
    dtype = torch.promote_types(torch.promote_types(u.dtype, A.dtype), torch.float32)
    step = delta.to(dtype) if delta_bias is None else delta.to(dtype) + delta_bias.to(dtype)
    step_BLGC = (functional.softplus(step, threshold=100.0) if softplus else step).unflatten(2, (groups, -1))
    u_BLGC = u.to(dtype).unflatten(2, (groups, -1))
    rate_GCN = A.to(dtype).unflatten(0, (groups, -1))
    gate = torch.exp(step_BLGC[..., None] * rate_GCN)
    drive = (step_BLGC * u_BLGC)[..., None] * B.to(dtype)[:, :, :, None]
    orders = _orders(directions, length, size, u.device)
    recurrence = recurrence_loop if length <= SHORT else recurrence_parallel
    states = _reordered(recurrence(_reordered(gate, orders), _reordered(drive, orders)), _inverse(orders))
    out = (states * C.to(dtype)[:, :, :, None]).sum(4).flatten(2)
    return (out if D is None else out + D.to(dtype) * u).to(kept)


def _orders(walks: Sequence[str], length: int, size: tuple[int, int], device: torch.device) -> Tensor | None:
    """Raster indices of each group's steps, int64 (G, L); None when all walk along the rows."""
    if all(walk == "row" for walk in walks):
        return None
    steps = torch.arange(length, device=device)
    found = []
    for walk in walks:
        t = length - 1 - steps if walk.endswith("reversed") else steps
        found.append((t % size[0]) * size[1] + t // size[0] if walk.startswith("column") else t)
    return torch.stack(found)


def _inverse(orders: Tensor | None) -> Tensor | None:
    return None if orders is None else orders.argsort(1)


def _reordered(pixels_BLG: Tensor, orders_GL: Tensor | None) -> Tensor:
    if orders_GL is None:
        return pixels_BLG
    parts = [pixels_BLG[:, :, g].index_select(1, order) for g, order in enumerate(orders_GL.unbind(0))]
    return torch.stack(parts, dim=2)
