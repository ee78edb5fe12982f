"""Convolutions that carry their ReLU, so that a block inserted after one sees the activations."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class ConvReLU2d(nn.Conv2d):
    """``relu(conv2d(x))``: parameters, names and initial weights are those of ``nn.Conv2d``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(super().forward(x), inplace=True)


class ConvReLU3d(nn.Conv3d):
    """``relu(conv3d(x))``: parameters, names and initial weights are those of ``nn.Conv3d``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(super().forward(x), inplace=True)
