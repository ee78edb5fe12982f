"""Convolutions that carry their ReLU, so that a block inserted after one sees the activations."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class DepthConvReLU2d(nn.Conv2d):
    """``relu(conv2d(x))`` of a volume whose depth counts as channels; parameters are those of ``nn.Conv2d``.

    Shape: (N, C, D, H, W) → (N, out_channels, H', W'), where ``in_channels`` is C × D, depth running fastest.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight
        if x.is_contiguous(memory_format=torch.channels_last_3d) and not x.is_contiguous():
            # channels run fastest in memory: reorder the small kernel instead of the large volume
            channels, depth = x.shape[1:3]
            x = x.permute(0, 3, 4, 2, 1).flatten(3).permute(0, 3, 1, 2)
            weight = weight.unflatten(1, (channels, depth)).transpose(1, 2).flatten(1, 2)
            weight = weight.contiguous(memory_format=torch.channels_last)
        else:
            x = x.flatten(1, 2)
        return functional.relu(self._conv_forward(x, weight, self.bias), inplace=True)


class ConvReLU3d(nn.Conv3d):
    """``relu(conv3d(x))``: parameters, names and initial weights are those of ``nn.Conv3d``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(super().forward(x), inplace=True)
