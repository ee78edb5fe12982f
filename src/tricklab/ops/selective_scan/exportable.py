"""The selective scan as a short graph of torch's own operators, for ``torch.export`` and ONNX."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def exportable_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, delta_bias: Tensor | None,
    directions: Sequence[str], size: tuple[int, int], softplus: bool,
) -> Tensor:  # fmt: skip
    """Arguments as in ``selective_scan``.

    Walks are flips and transpositions, not indices; the recurrence is log₂ L rounds over all steps at once, in each of
    which every step joins the one 1, 2, 4, … places before it (Hillis & Steele 1986). More arithmetic than the other
    ways, but a graph that hardly grows with the number of pixels.
    """
    kept, groups = u.dtype, B.shape[2]
    dtype = torch.promote_types(torch.promote_types(u.dtype, A.dtype), torch.float32)
    step = delta.to(dtype) if delta_bias is None else delta.to(dtype) + delta_bias.to(dtype)
    step_BLGC = (functional.softplus(step, threshold=100.0) if softplus else step).unflatten(2, (groups, -1))
    gate = torch.exp(step_BLGC[..., None] * A.to(dtype).unflatten(0, (groups, -1)))
    drive = (step_BLGC * u.to(dtype).unflatten(2, (groups, -1)))[..., None] * B.to(dtype)[:, :, :, None]
    found = _recurrence(_walked(gate, directions, size), _walked(drive, directions, size))
    states = _walked(found, directions, size, back=True)
    out = (states * C.to(dtype)[:, :, :, None]).sum(4).flatten(2)
    return (out if D is None else out + D.to(dtype) * u).to(kept)


def _recurrence(gate: Tensor, state: Tensor) -> Tensor:
    """h ← gate · h + drive along dimension 1, from h = 0; (batch, L, G, C, N)."""
    length, reach = gate.shape[1], 1
    while reach < length:
        # what lies before the first step is 0
        state = state + gate * _later(state, reach)
        if 2 * reach < length:
            gate = gate * _later(gate, reach)
        reach *= 2
    return state


def _later(values_BLGCN: Tensor, places: int) -> Tensor:
    return functional.pad(values_BLGCN[:, :-places], (0, 0, 0, 0, 0, 0, places, 0))


def _walked(pixels_BLGCN: Tensor, directions: Sequence[str], size: tuple[int, int], back: bool = False) -> Tensor:
    """Each group in the order of its walk, or back in raster order."""
    if all(walk == "row" for walk in directions):
        return pixels_BLGCN
    groups = [pixels_BLGCN[:, :, place : place + 1] for place in range(len(directions))]
    return torch.cat([_along(one, walk, size, back) for one, walk in zip(groups, directions, strict=True)], dim=2)


def _along(pixels_BL: Tensor, walk: str, size: tuple[int, int], back: bool) -> Tensor:
    backwards = walk.endswith("reversed")
    if back and backwards:
        pixels_BL = pixels_BL.flip(1)
    if walk.startswith("column"):
        pixels_BL = pixels_BL.unflatten(1, size[::-1] if back else size).transpose(1, 2).flatten(1, 2)
    return pixels_BL.flip(1) if backwards and not back else pixels_BL
