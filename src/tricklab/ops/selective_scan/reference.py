"""The selective scan by its definition, one step after the other: what the other ways are tested against."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def reference_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, delta_bias: Tensor | None,
    directions: Sequence[str], size: tuple[int, int], softplus: bool,
) -> Tensor:  # fmt: skip
    """Arguments as in ``selective_scan``; computes in the inputs' widest dtype, at least float32, by autograd."""
    kept = u.dtype
    dtype = torch.float32
    for tensor in (u, delta, A, B, C):
        dtype = torch.promote_types(dtype, tensor.dtype)
    u, delta, A, B, C = (tensor.to(dtype) for tensor in (u, delta, A, B, C))
    channels = u.shape[2] // len(directions)
    outputs = []
    for group, walk in enumerate(directions):
        mine = slice(group * channels, (group + 1) * channels)
        step = delta[:, :, mine] if delta_bias is None else delta[:, :, mine] + delta_bias[mine].to(dtype)
        step = functional.softplus(step, threshold=100.0) if softplus else step
        x, step, b, c = (_along(tensor, walk, size) for tensor in (u[:, :, mine], step, B[:, :, group], C[:, :, group]))
        out = _along(_one_group(x, step, b, c, A[mine]), walk, size, back=True)
        outputs.append(out if D is None else out + D[mine].to(dtype) * u[:, :, mine])
    return torch.cat(outputs, dim=2).to(kept)


def _along(pixels: Tensor, walk: str, size: tuple[int, int], back: bool = False) -> Tensor:
    """(batch, L, …) in raster order into the walk's order, or back."""
    if back and walk.endswith("reversed"):
        pixels = pixels.flip(1)
    if walk.startswith("column"):
        sides = size[::-1] if back else size
        pixels = pixels.unflatten(1, sides).transpose(1, 2).flatten(1, 2)
    return pixels.flip(1) if walk.endswith("reversed") and not back else pixels


def _one_group(u_BLC: Tensor, step_BLC: Tensor, B_BLN: Tensor, C_BLN: Tensor, A_CN: Tensor) -> Tensor:
    state = u_BLC.new_zeros(u_BLC.shape[0], *A_CN.shape)
    outputs = []
    for u, step, b, c in zip(u_BLC.unbind(1), step_BLC.unbind(1), B_BLN.unbind(1), C_BLN.unbind(1), strict=True):
        state = torch.exp(step[:, :, None] * A_CN) * state + (step * u)[:, :, None] * b[:, None, :]
        outputs.append((state * c[:, None, :]).sum(2))
    return torch.stack(outputs, dim=1) if outputs else torch.zeros_like(u_BLC)
