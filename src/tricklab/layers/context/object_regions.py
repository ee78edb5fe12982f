"""OCR: pixels are described by the soft regions of classes they resemble."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.layers.context._base import ContextBlock, through_nodes
from tricklab.layers.context.normalisation import conv_norm
from tricklab.registry import component


@component(
    "context",
    source="Yuan et al., Object-Contextual Representations for Semantic Segmentation, ECCV 2020, arXiv 1909.11065",
    given=("channels",),
)
class OCR(ContextBlock):
    """Object-contextual representations: y = relu(BN(1 × 1 of [context, x])).

    Region k: f_k = sum over i of m_ki x_i, m a softmax over pixels of the region's logits. Pixel i gets the sum of
    softmax over k of (phi(x_i) · psi(f_k) / sqrt(C')) times delta(f_k), then rho. O(HW K C) time, O(HW K) memory; rank
    of what rho gets at most K. Not the identity at the start. As a block it predicts the logits of its regions itself
    and learns them from the main loss alone; a head that has logits with a loss of their own calls ``attend``.

    Args:
        regions: K, the number of classes in the paper.
        reduction: how many times fewer channels the comparisons have.
        dropout: probability that a channel is zeroed at the end.

    >>> OCR(regions=4, channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(self, regions: int = 19, reduction: int = 2, dropout: float = 0.1, *, channels: int) -> None:
        super().__init__(channels)
        hidden = self.hidden(reduction)
        if not 0 <= dropout < 1:
            raise UserError(f"dropout of OCR must be from 0 to below 1, not {dropout}")
        self.regions = nn.Conv2d(channels, self.at_least_one("regions", regions), 1)
        self.f_pixel = nn.Sequential(conv_norm(channels, hidden), conv_norm(hidden, hidden))
        self.f_object = nn.Sequential(conv_norm(channels, hidden), conv_norm(hidden, hidden))
        self.f_down = conv_norm(channels, hidden)
        self.f_up = conv_norm(hidden, channels)
        self.bottleneck = conv_norm(2 * channels, channels)
        self.dropout = nn.Dropout2d(dropout)

    def context(self, x: Tensor) -> Tensor:
        return self.attend(x, self.regions(x))

    def attend(self, x: Tensor, logits: Tensor) -> Tensor:
        """The block's output for given logits (N, K, H, W) of the regions, any K."""
        return self.dropout(self.bottleneck(torch.cat([self.f_up(self.reconstruction(x, logits)), x], dim=1)))

    def reconstruction(self, x: Tensor, logits: Tensor | None = None) -> Tensor:
        """What each pixel takes of the regions, (N, C/reduction, H, W)."""
        regions = self.regions(x) if logits is None else logits

        def assign(x: Tensor) -> tuple[Tensor, Tensor]:
            pixels_NPC = x.flatten(2).transpose(1, 2)
            soft_NKP = regions.flatten(2).softmax(dim=2).to(x.dtype)
            objects_NCK1 = (soft_NKP @ pixels_NPC).transpose(1, 2).unsqueeze(3)
            queries_NPC = self.f_pixel(x).flatten(2).transpose(1, 2)
            similar_NPK = queries_NPC @ self.f_object(objects_NCK1).flatten(2) / queries_NPC.shape[2] ** 0.5
            values_NKC = self.f_down(objects_NCK1).flatten(2).transpose(1, 2)
            return values_NKC, similar_NPK.softmax(dim=2).transpose(1, 2).to(values_NKC.dtype)

        return through_nodes(x, assign, None)
