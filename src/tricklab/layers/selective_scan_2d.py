"""The selective scan of an image as a layer (SS2D), and several such layers side by side in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.layers.depthwise import depthwise_tokens
from tricklab.layers.grouped_linear import grouped_linear
from tricklab.ops.selective_scan import selective_scan

STEP_RANGE = (1e-3, 1e-1)
STEP_FLOOR = 1e-4


class SelectiveScan2d(nn.Module):
    """A gated state-space mixer of image tokens: project, convolve, scan along one or more paths, gate, project.

    ``u = silu(conv(W_x x))``, ``z = silu(W_z x)``, scan with step ``softplus(W_dt W_r u + bias)`` and input-dependent
    ``B`` and ``C``, ``y = W_out(norm(scan) * z)``; several paths over the pixels have scans of their own, which are
    summed. Weights are named as in the official code, which calls it SS2D: in_proj, conv2d, x_proj_weight,
    dt_projs_weight, dt_projs_bias, A_logs, Ds, out_norm, out_proj. :meth:`no_weight_decay` names what
    should have no weight decay (the official code says so, but its optimizer reads that from the names of biases only).

    Source: Liu et al., VMamba, NeurIPS 2024, arXiv 2401.10166, with ratio 1, as in GroupMamba.

    Args:
        channels: width of input and output.
        paths: scans of the same pixels, each in a direction of its own.
        states: states of a channel.
    """

    def __init__(self, channels: int, *, paths: int = 1, states: int = 1) -> None:
        super().__init__()
        self.channels, self.paths, self.states = channels, paths, states
        self.rank = math.ceil(channels / 16)
        self.x_proj_weight = nn.Parameter(torch.empty(paths, self.rank + 2 * states, channels))
        self.dt_projs_weight = nn.Parameter(torch.empty(paths, channels, self.rank))
        self.dt_projs_bias = nn.Parameter(torch.empty(paths, channels))
        self.A_logs = nn.Parameter(torch.empty(paths * channels, states))
        self.Ds = nn.Parameter(torch.empty(paths * channels))
        self.out_norm = nn.LayerNorm(channels)
        self.in_proj = nn.Linear(channels, 2 * channels, bias=False)
        self.conv2d = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.out_proj = nn.Linear(channels, channels, bias=False)
        self.reset_scan_parameters()

    @torch.no_grad()
    def reset_scan_parameters(self) -> None:
        """Draw the scan's parameters: steps log-uniform in 0.001 to 0.1, decay rates 1, 2, … for the states, D = 1."""
        nn.init.uniform_(self.x_proj_weight, -(self.channels**-0.5), self.channels**-0.5)
        nn.init.uniform_(self.dt_projs_weight, -(self.rank**-0.5), self.rank**-0.5)
        low, high = (math.log(bound) for bound in STEP_RANGE)
        steps = torch.empty_like(self.dt_projs_bias).uniform_(low, high).exp_().clamp_(min=STEP_FLOOR)
        self.dt_projs_bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # the inverse of softplus
        self.A_logs.copy_(torch.arange(1, self.states + 1).log().expand_as(self.A_logs))
        nn.init.ones_(self.Ds)

    def no_weight_decay(self) -> set[str]:
        """Parameters whose decay would change the scan's memory and not only its size: decay rates, skips, steps."""
        return {"A_logs", "Ds", "dt_projs_bias"}

    def forward(self, x: Tensor, size: tuple[int, int], directions: Sequence[str]) -> Tensor:
        """(batch, pixels, channels) → the same shape; see :func:`scan_groups`."""
        return scan_groups([self], x, size, directions)


def scan_groups(
    groups: Sequence[SelectiveScan2d], x: Tensor, size: tuple[int, int], directions: Sequence[str]
) -> Tensor:
    """Give each of several mixers its share of the channels: one scan, one convolution, batched products for all.

    The same numbers as calling them one after the other on slices, but neither slices nor pixels in another order are
    ever copied: the scan walks the pixels where they lie. The scan itself runs in float32, also under autocast.

    Args:
        groups: mixers of one size; parameters stay theirs and are stacked on the way.
        x: (batch, pixels, groups * channels), float.
        size: (height, width); height * width pixels, row by row.
        directions: groups * paths names for :func:`tricklab.ops.selective_scan.selective_scan`, paths of a group
            together.

    Returns:
        (batch, pixels, groups * channels), in autocast's dtype or that of ``x``.
    """
    one = groups[0]
    count, paths, channels, states = len(groups), one.paths, one.channels, one.states
    assert len(directions) == count * paths

    def stacked(of: Callable[[SelectiveScan2d], Tensor]) -> Tensor:
        return torch.stack([of(group) for group in groups])

    enter_GOI = stacked(lambda group: group.in_proj.weight).unflatten(1, (2, channels))
    u, z = grouped_linear(x.unflatten(-1, (count, channels)), *enter_GOI.unbind(1))
    kernels = torch.cat([group.conv2d.weight for group in groups])
    biases = torch.cat([group.conv2d.bias for group in groups if group.conv2d.bias is not None])
    u_BLC = functional.silu(depthwise_tokens(u.flatten(-2), kernels, biases, size))

    made_weight = stacked(lambda group: group.x_proj_weight.flatten(0, 1))
    (made,) = grouped_linear(u_BLC.unflatten(-1, (count, channels)), made_weight)
    made = made.unflatten(-1, (paths, one.rank + 2 * states)).flatten(-3, -2)  # (batch, pixels, groups * paths, …)
    rough, B, C = made.split([one.rank, states, states], dim=-1)
    (delta,) = grouped_linear(rough, stacked(lambda group: group.dt_projs_weight).flatten(0, 1))

    if paths > 1:
        u_BLC = u_BLC.unflatten(-1, (count, 1, channels)).expand(-1, -1, -1, paths, -1).flatten(-3)
    y = selective_scan(
        _at_least_float32(u_BLC),
        _at_least_float32(delta.flatten(-2)),
        -torch.exp(_at_least_float32(torch.cat([group.A_logs for group in groups]))),
        _at_least_float32(B),
        _at_least_float32(C),
        _at_least_float32(torch.cat([group.Ds for group in groups])),
        _at_least_float32(stacked(lambda group: group.dt_projs_bias).flatten()),
        directions=tuple(directions),
        size=size,
        softplus=True,
    )
    y_BLGC = y.unflatten(-1, (count, paths, channels)).sum(-2) if paths > 1 else y.unflatten(-1, (count, channels))
    scale, shift = stacked(lambda group: group.out_norm.weight), stacked(lambda group: group.out_norm.bias)
    y_BLGC = torch.addcmul(shift, functional.layer_norm(y_BLGC, (channels,), eps=one.out_norm.eps), scale)
    y_BLGC = y_BLGC.to(z.dtype) * functional.silu(z)
    (out,) = grouped_linear(y_BLGC, stacked(lambda group: group.out_proj.weight))
    return out.flatten(-2)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype.itemsize < 4 else x
