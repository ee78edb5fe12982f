"""The head of a network on windows of feature maps that were computed once for all of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from tricklab.layers.squeeze_excitation import SE
from tricklab.models.sharing import SharesConvolutions, WindowLinear
from tricklab.ops.windows import gather_features

Head = Callable[[torch.Tensor, torch.Tensor, int, int], torch.Tensor]
"""(features (1, C, h, w), corners (n, 2), side of a window of features, bytes to gather at once) → (n, K), CPU."""


def window_head(model: SharesConvolutions) -> Head:
    """The fastest exact way from features to logits that the model allows."""
    linear = model.window_linear()
    return _gathered(model) if linear is None else _linear(linear)


def _gathered(model: SharesConvolutions) -> Head:
    """Any head: gather windows of features, run it."""

    def run(features: torch.Tensor, corners: torch.Tensor, side: int, chunk_bytes: int) -> torch.Tensor:
        def part(chosen: slice) -> torch.Tensor:
            first_tile = torch.zeros(len(corners[chosen]), dtype=torch.int64)
            return model.head(gather_features(features, first_tile, corners[chosen], side)).cpu()

        # the windows are there as gathered, as reordered, and as a block takes and gives them
        return _in_parts(part, len(corners), _step(features, side, chunk_bytes // 4))

    return run


def _linear(head: WindowLinear) -> Head:
    """Gates and a dense layer first: one matrix product over rows of features gathered by position, then channel."""
    kernel = head.weight_OCss.permute(2, 3, 1, 0).flatten(0, 2).contiguous()

    def run(features: torch.Tensor, corners: torch.Tensor, side: int, chunk_bytes: int) -> torch.Tensor:
        channels, _, width = features.shape[1:]
        means_CHW = window_means(features, side) if head.gates else None
        rows = features[0].permute(1, 2, 0).contiguous().reshape(-1)
        runs = rows.as_strided((len(rows) // channels - side + 1, side * channels), (channels, 1))
        first = (corners[:, 0] * width + corners[:, 1]).to(features.device)
        below = torch.arange(side, device=features.device) * width

        def part(chosen: slice) -> torch.Tensor:
            taken = runs[first[chosen, None] + below]
            if means_CHW is not None:
                scale_NC = window_scales(head.gates, means_CHW, corners[chosen])
                taken.view(len(taken), -1, channels).mul_(scale_NC[:, None])
            return head.finish(torch.addmm(head.bias_O, taken.view(len(taken), -1), kernel)).cpu()

        return _in_parts(part, len(corners), _step(features, side, chunk_bytes))

    return run


def _in_parts(part: Callable[[slice], torch.Tensor], count: int, step: int) -> torch.Tensor:
    """The logits of all windows, (count, K), ``step`` at a time.

    They go into one tensor, and nothing else of a part is left when the next begins: small tensors that stay between
    large ones that come and go would keep the allocator from using the large ones' memory again.
    """
    out: torch.Tensor | None = None
    for start in range(0, count, step):
        chosen = slice(start, min(start + step, count))
        found = part(chosen)
        if out is None:
            out = torch.empty(count, found.shape[1], dtype=found.dtype)
        out[chosen] = found
    assert out is not None
    return out


def window_means(features: torch.Tensor, side: int) -> torch.Tensor:
    """Channel means of the window at each place of a tile, (C, h - side + 1, w - side + 1); pooled once for all."""
    return functional.avg_pool2d(functional.avg_pool2d(features, (side, 1), stride=1), (1, side), stride=1)[0]


def window_scales(gates: tuple[SE, ...], means_CHW: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """Product of the gates of each window, (n, C)."""
    rows, columns = corners.to(means_CHW.device).unbind(1)
    means_NC = means_CHW[:, rows, columns].T
    scale_NC = torch.ones_like(means_NC)
    for block in gates:
        gates_NC = block.gates(means_NC)
        means_NC, scale_NC = means_NC * gates_NC, scale_NC * gates_NC
    return scale_NC


def _step(features: torch.Tensor, side: int, chunk_bytes: int) -> int:
    return max(chunk_bytes // (side * side * features.shape[1] * features.element_size()), 1)
