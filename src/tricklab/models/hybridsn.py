"""HybridSN: three spectral-spatial convolutions, one spatial convolution, three dense layers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.convolution import ConvReLU2d, ConvReLU3d
from tricklab.models.insert import inserted_blocks, inserted_names
from tricklab.registry import component

REACH = 8
DEPTH_LOST = 12


@component(
    "model",
    source="Roy et al., GRSL 17(2) 2020, github gokriznastic/HybridSN",
    given=("bands", "window", "classes"),
)
class HybridSN(nn.Module):
    """HybridSN: 3-D convolutions over bands and space, then 2-D, then three dense layers.

    Parameters: 5,122,176 for 30 bands, 25 × 25 windows, 16 classes, as published. The weights are named as in the
    PyTorch versions of the course notes: conv1, conv2, conv3, conv2d, fc1, fc2, out. The initial weights are PyTorch's
    defaults (the official Keras code has Glorot uniform and zero biases).

    Args:
        head_relu: ReLU after the two hidden dense layers, as published; without it the head is one affine map.
        dropout: share of hidden units of the dense layers that are zeroed while training.
        bands: channels of a window, at least 13.
        window: side of a window in pixels, at least 9.
        classes: number of classes.

    Shape:
        (N, bands, window, window) float → ``{"main": logits (N, classes)}``.

    Raises:
        UserError: too few bands, too small a window, a dropout outside [0, 1).

    >>> model = HybridSN(bands=15, window=15, classes=6)
    >>> model(torch.zeros(2, 15, 15, 15))["main"].shape
    torch.Size([2, 6])
    """

    def __init__(self, head_relu: bool = True, dropout: float = 0.4, *, bands: int, window: int, classes: int) -> None:
        super().__init__()
        if bands <= DEPTH_LOST:
            raise UserError(
                f"HybridSN needs at least {DEPTH_LOST + 1} bands, but is given {bands}",
                where="data.pca",
                fix="keep more components: its three 3-D convolutions take 6 + 4 + 2 bands away",
            )
        if window <= REACH:
            raise UserError(
                f"HybridSN needs windows of at least {REACH + 1} pixels a side, but is given {window}",
                where="data.window",
            )
        if not 0.0 <= dropout < 1.0:
            raise UserError(f"dropout must lie in [0, 1), not {dropout}", where="model.dropout")
        self.bands, self.window, self.classes, self.head_relu = bands, window, classes, head_relu
        self.conv1 = ConvReLU3d(1, 8, (7, 3, 3))
        self.conv2 = ConvReLU3d(8, 16, (5, 3, 3))
        self.conv3 = ConvReLU3d(16, 32, (3, 3, 3))
        self.conv2d = ConvReLU2d(32 * (bands - DEPTH_LOST), 64, 3)
        self.fc1 = nn.Linear(64 * (window - REACH) ** 2, 256)
        self.fc2 = nn.Linear(256, 128)
        self.out = nn.Linear(128, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        if x.ndim != 4 or x.shape[1:] != (self.bands, self.window, self.window):
            raise UserError(
                f"HybridSN was built for windows of shape (N, {self.bands}, {self.window}, {self.window}), "
                f"but is given {tuple(x.shape)}"
            )
        return {"main": self._dense(self.conv2d(self._spectral(x)))}

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Activations of the convolutions for an image of any size, without the blocks inserted after ``conv2d``.

        Shape: (N, bands, h, w) → (N, 64, h - 8, w - 8). The features of a window are the window of the features.

        Raises:
            UserError: a block stands after conv1, conv2 or conv3, so windows cannot share their convolutions.
        """
        obstacle = self.dense_obstacle()
        if obstacle:
            raise UserError(obstacle, where="model.insert")
        return self.conv2d.forward(self._spectral(x))

    def head(self, features_NCHW: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of windows of the features (N, 64, window - 8, window - 8), inserted blocks applied."""
        for block in inserted_blocks(self.conv2d):
            features_NCHW = block(features_NCHW)
        return self._dense(features_NCHW)

    def dense_obstacle(self) -> str | None:
        """Why windows cannot share their convolutions, or None when they can."""
        early = [name for name in inserted_names(self) if name.split(".")[0] in ("conv1", "conv2", "conv3")]
        if early:
            return (
                f"{early[0]} stands inside the convolutions, so their result differs from window to window "
                "and neighbouring windows cannot share it"
            )
        return None

    def tail(self, hidden_NC: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of the outputs of ``fc1`` (N, 256)."""
        for layer in (self.fc2, self.out):
            hidden_NC = layer(self.dropout(functional.relu(hidden_NC) if self.head_relu else hidden_NC))
        return hidden_NC

    def _spectral(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv3(self.conv2(self.conv1(x.unsqueeze(1))))
        return x.flatten(1, 2)

    def _dense(self, features_NCHW: torch.Tensor) -> torch.Tensor:
        return self.tail(self.fc1(features_NCHW.flatten(1)))
