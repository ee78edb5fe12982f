"""PSANet's point-wise spatial attention: each position predicts a map of weights over the others."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.context._base import ContextBlock
from tricklab.layers.context.normalisation import batch_norm
from tricklab.registry import component

Empty = Literal["excluded", "zero"]


@component(
    "context", source="Zhao et al., PSANet, ECCV 2018; official code hszhao/semseg model/psanet.py", given=("channels",)
)
class PSA(ContextBlock):
    """Point-wise spatial attention: each position predicts what it collects from others, or what it distributes.

    collect: z_i = sum over j of A[j, i] x_j with A[·, i] predicted from x_i; distribute: with A[j, ·] predicted from
    x_j. Each prediction has mask_size channels, one for each displacement, of which a position uses those that stay
    inside the map; softmax over sources in both. y = x + up(proj([collected, distributed])); the published head appends
    in place of adding. O((HW/shrink²)² C/r) time and memory; the masks alone have mask_h mask_w C/r weights. Weight
    names are the official ones; no compiled kernel is needed. Not the identity at the start: ``proj`` ends in a ReLU.

    Args:
        mask_size: height and width of the map of displacements, odd: 2 h - 1 covers a map of h rows entirely.
        psa_type: ``bi-direction`` is both.
        compact: predict absolute positions; the shrunken map must then be of mask_size.
        shrink_factor: the attention works on a map so many times smaller.
        normalization_factor: the sums are divided by it.
        psa_softmax: without it the predictions are weights as they are.
        empty: displacements that the mask does not reach are ``excluded`` from the softmax. ``zero`` is what the
            official operation leaves there: in the softmax a logit like any other, which takes weight.
        reduction: how many times fewer channels inside.

    >>> PSA(mask_size=(5, 7), channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self,
        mask_size: tuple[int, int] = (59, 59),
        psa_type: Literal["collect", "distribute", "bi-direction"] = "bi-direction",
        compact: bool = False,
        shrink_factor: int = 2,
        normalization_factor: float = 1.0,
        psa_softmax: bool = True,
        empty: Empty = "excluded",
        reduction: int = 4,
        *,
        channels: int,
    ) -> None:
        super().__init__(channels)
        hidden = self.hidden(reduction)
        height, width = mask_size
        if min(height, width) < 1 or (not compact and not (height % 2 and width % 2)):
            raise UserError(f"mask_size of PSA must be odd numbers, not {height} and {width}")
        if not normalization_factor > 0:
            raise UserError(f"normalization_factor of PSA must be positive, not {normalization_factor}")
        self.mask_size, self.psa_type, self.compact, self.empty = (height, width), psa_type, compact, empty
        self.shrink_factor = self.at_least_one("shrink_factor", shrink_factor)
        self.normalization_factor, self.psa_softmax = normalization_factor, psa_softmax
        self.reduce = _narrow(channels, hidden)
        self.attention = _mask(hidden, height * width)
        if psa_type == "bi-direction":
            self.reduce_p, self.attention_p = _narrow(channels, hidden), _mask(hidden, height * width)
        both = 2 if psa_type == "bi-direction" else 1
        self.proj = nn.Sequential(nn.Conv2d(both * hidden, channels, 1, bias=False), batch_norm(channels), nn.ReLU())

    def context(self, x: Tensor) -> Tensor:
        size = (x.shape[2], x.shape[3])
        small = tuple((side - 1) // self.shrink_factor + 1 for side in size)
        found = []
        for reduce, attention, collects in self._branches():
            features = reduce(x)
            if small != size:
                features = functional.interpolate(features, size=small, mode="bilinear", align_corners=True)
            weights_NJI = self.weights(attention(features), collects)
            seen_NCI = features.flatten(2) @ weights_NJI.to(features.dtype) / self.normalization_factor
            found.append(seen_NCI.unflatten(2, small))
        y = self.proj(torch.cat(found, dim=1))
        return x + (functional.interpolate(y, size=size, mode="bilinear", align_corners=True) if small != size else y)

    def weights(self, mask_NMHW: Tensor, collects: bool) -> Tensor:
        """A[source, target], (N, HW, HW), of predicted masks (N, mask_h mask_w, H, W)."""
        height, width = mask_NMHW.shape[2:]
        logits_NMP = mask_NMHW.flatten(2)
        if self.compact:
            if (height, width) != self.mask_size:
                raise UserError(
                    f"a compact PSA of mask_size {self.mask_size} got a map of {(height, width)}",
                    fix="train and test on windows of one size, or turn compact off",
                )
            logits_NJI = logits_NMP if collects else logits_NMP.transpose(1, 2)
        else:
            index_JI, inside_JI = self._displacements(height, width, collects, mask_NMHW.device)
            # collecting, the target predicts; distributing, the source does
            logits_NJI = (
                logits_NMP.gather(1, index_JI.expand(logits_NMP.shape[0], -1, -1))
                if collects
                else logits_NMP.transpose(1, 2).gather(2, index_JI.expand(logits_NMP.shape[0], -1, -1))
            )
            outside = float("-inf") if self.psa_softmax and self.empty == "excluded" else 0.0
            logits_NJI = logits_NJI.masked_fill(~inside_JI, outside)
        return logits_NJI.softmax(dim=1) if self.psa_softmax else logits_NJI

    def _displacements(self, height: int, width: int, collects: bool, device: torch.device) -> tuple[Tensor, Tensor]:
        """Channel of the mask for each pair [source, target], and whether the mask reaches it."""
        rows = torch.arange(height, device=device).repeat_interleave(width)
        columns = torch.arange(width, device=device).repeat(height)
        sign = 1 if collects else -1
        down_JI = sign * (rows[:, None] - rows[None, :]) + (self.mask_size[0] - 1) // 2
        right_JI = sign * (columns[:, None] - columns[None, :]) + (self.mask_size[1] - 1) // 2
        inside_JI = (down_JI >= 0) & (down_JI < self.mask_size[0]) & (right_JI >= 0) & (right_JI < self.mask_size[1])
        return (down_JI * self.mask_size[1] + right_JI) * inside_JI, inside_JI

    def _branches(self) -> list[tuple[nn.Module, nn.Module, bool]]:
        first = (self.reduce, self.attention, self.psa_type != "distribute")
        return [first, (self.reduce_p, self.attention_p, False)] if self.psa_type == "bi-direction" else [first]


def _narrow(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), batch_norm(outputs), nn.ReLU())


def _mask(hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_narrow(hidden, hidden), nn.Conv2d(hidden, outputs, 1, bias=False))
