"""DANet's attention over positions and attention over channels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from tricklab.layers.context._base import ContextBlock, summed_over_pixels
from tricklab.registry import component


@component("context", source="Fu et al., DANet, CVPR 2019, arXiv 1809.02983", given=("channels",))
class PositionAttention(ContextBlock):
    """Attention over positions: y = x + gamma · softmax(Q^T K) V, without dividing by the root of the channels.

    O((HW)² C) time, O((HW)²) memory. C²(1 + 2/reduction) weights. ``gamma`` starts at 0: the identity.

    Args:
        reduction: how many times fewer channels queries and keys have.

    >>> PositionAttention(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(self, reduction: int = 8, *, channels: int) -> None:
        super().__init__(channels)
        hidden = self.hidden(reduction)
        self.query_conv = nn.Conv2d(channels, hidden, 1)
        self.key_conv = nn.Conv2d(channels, hidden, 1)
        self.value_conv = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def context(self, x: Tensor) -> Tensor:
        energy_NPM = self.query_conv(x).flatten(2).transpose(1, 2) @ self.key_conv(x).flatten(2)
        values_NCM = self.value_conv(x).flatten(2)
        found_NCP = values_NCM @ energy_NPM.softmax(dim=2).transpose(1, 2).to(values_NCM.dtype)
        return x + self.gamma * found_NCP.unflatten(2, tuple(x.shape[2:]))


@component("context", source="Fu et al., DANet, CVPR 2019, arXiv 1809.02983", given=("channels",))
class ChannelAttention(ContextBlock):
    """Attention over channels: y = x + gamma · softmax(E) X with E = X X^T, C × C; no convolution, one weight.

    O(C² HW). ``gamma`` starts at 0: the identity.

    Args:
        similarity: ``inverted`` is the official code's softmax(row's maximum - E), which gives *unlike* channels more
            weight; ``plain`` is the paper's softmax(E).

    >>> ChannelAttention(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(self, similarity: Literal["inverted", "plain"] = "inverted", *, channels: int) -> None:
        super().__init__(channels)
        self.similarity = similarity
        self.gamma = nn.Parameter(torch.zeros(1))

    def context(self, x: Tensor) -> Tensor:
        flat_NCP = x.flatten(2)
        energy_NCC = summed_over_pixels(flat_NCP, flat_NCP.transpose(1, 2))
        if self.similarity == "inverted":
            energy_NCC = energy_NCC.amax(dim=2, keepdim=True) - energy_NCC
        found_NCP = energy_NCC.softmax(dim=2).to(flat_NCP.dtype) @ flat_NCP
        return x + self.gamma * found_NCP.unflatten(2, tuple(x.shape[2:]))


@component("context", source="Fu et al., DANet, CVPR 2019, arXiv 1809.02983", given=("channels",))
class DANet(ContextBlock):
    """Both attentions of DANet on one input: x + gamma_p · position(x) + gamma_c · channel(x).

    The published head has a 3 × 3 convolution before and after each attention and losses on both; here those of the
    head around the block serve both. O((HW)² C + C² HW). The identity at the start.

    Args:
        reduction: of the queries and keys of positions.
        similarity: of channels, see ChannelAttention.

    >>> DANet(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self, reduction: int = 8, similarity: Literal["inverted", "plain"] = "inverted", *, channels: int
    ) -> None:
        super().__init__(channels)
        self.pam = PositionAttention(reduction, channels=channels)
        self.cam = ChannelAttention(similarity, channels=channels)

    def context(self, x: Tensor) -> Tensor:
        return self.pam.context(x) + self.cam.context(x) - x
