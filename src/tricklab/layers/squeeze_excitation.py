"""Squeeze and excitation: one weight per channel, learned from the channel means."""

from __future__ import annotations

import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.observe import observe
from tricklab.registry import component


@component("block", source="Hu et al., CVPR 2018, arXiv 1709.01507, eq. 2-4", given=("channels",))
class SE(nn.Module):
    """Squeeze and excitation: scale each channel by a gate computed from all channel means.

    ``z_c = mean over space of x_c``, ``s = sigmoid(W2 relu(W1 z))``, ``y_c = s_c x_c`` with ``W1`` of shape
    (channels / reduction, channels), ``W2`` transposed, and no biases: 2 channels² / reduction parameters (512 for 64
    channels at 16). The official Caffe model has biases; the paper's equations and most later code have none, as here.

    Args:
        reduction: how many times fewer hidden units than channels; at least one is kept.
        channels: channels of the input.

    Shape:
        (N, channels, …) float with any number of space axes, also none; the output has the same shape and dtype.

    Observes ``se/scale``, the gates.

    >>> SE(reduction=16, channels=64)(torch.zeros(2, 64, 17, 17)).shape
    torch.Size([2, 64, 17, 17])
    """

    def __init__(self, reduction: int = 16, *, channels: int) -> None:
        super().__init__()
        if reduction < 1:
            raise UserError(f"SE reduction must be at least 1, not {reduction}")
        self.channels = channels
        hidden = max(channels // reduction, 1)
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim < 2 or x.shape[1] != self.channels:
            raise UserError(
                f"SE was built for {self.channels} channels on axis 1, but its input has shape {tuple(x.shape)}",
                fix="insert it after a module whose output is (N, channels, …)",
            )
        means_NC = x.mean(dim=tuple(range(2, x.ndim))) if x.ndim > 2 else x
        scale_NC = self.gates(means_NC)
        return x * scale_NC.reshape(*scale_NC.shape, *[1] * (x.ndim - 2))

    def gates(self, means_NC: torch.Tensor) -> torch.Tensor:
        """The gates in (0, 1), shape (N, channels), of channel means of the same shape."""
        scale_NC = self.fc(means_NC)
        observe("se/scale", scale_NC)
        return scale_NC
