"""HybridSN: three spectral-spatial convolutions, one spatial convolution, three dense layers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.convolution import ConvReLU3d, DepthConvReLU2d
from tricklab.layers.depth_folding import FOLD, fold_depth, folded_conv_relu, unfold_depth
from tricklab.layers.squeeze_excitation import SE
from tricklab.models.insert import inserted_blocks, inserted_names
from tricklab.models.sharing import WindowLinear, forward_windows
from tricklab.observe import observe
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

    Observes ``head/hidden``, what enters the dropout before each of the last two dense layers.

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
        self.conv2d = DepthConvReLU2d(32 * (bands - DEPTH_LOST), 64, 3)
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

    def forward_windows(self, cube_padded: torch.Tensor, centres: torch.Tensor | np.ndarray) -> dict[str, torch.Tensor]:
        """Logits of windows given as places in a scene: see :func:`tricklab.models.sharing.forward_windows`."""
        return forward_windows(self, cube_padded, centres)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Activations of the convolutions for an image of any size, without the blocks inserted after ``conv2d``.

        Shape: (N, bands, h, w) → (N, 64, h - 8, w - 8). The features of a window are the window of the features.

        Raises:
            UserError: a block stands after conv1, conv2 or conv3, so windows cannot share their convolutions.
        """
        obstacle = self.sharing_obstacle()
        if obstacle:
            raise UserError(obstacle, where="model.insert")
        rows = x.shape[2] - REACH
        if len(x) > 1 or rows < 2:
            return self.conv2d.forward(self._spectral(x))
        # two halves as a batch: PyTorch's CPU convolutions take one image alone through a ten times slower path
        upper = (rows + 1) // 2
        pair = torch.cat([x[:, :, : upper + REACH], x[:, :, -(upper + REACH) :]])
        top, bottom = self.conv2d.forward(self._spectral(pair))
        return torch.cat([top, bottom[:, 2 * upper - rows :]], dim=1).unsqueeze(0)

    def head(self, features_NCHW: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of windows of the features (N, 64, window - 8, window - 8), inserted blocks applied."""
        for block in inserted_blocks(self.conv2d):
            features_NCHW = block(features_NCHW)
        return self._dense(features_NCHW)

    def window_linear(self) -> WindowLinear | None:
        """The head as gates and one dense layer over a window, or None when another block than SE stands before it."""
        gates = tuple(block for block in inserted_blocks(self.conv2d) if type(block) is SE)
        if len(gates) != len(inserted_blocks(self.conv2d)):
            return None
        side = self.window - REACH
        return WindowLinear(self.fc1.weight.unflatten(1, (64, side, side)), self.fc1.bias, gates, self._after_first)

    def sharing_obstacle(self) -> str | None:
        """Why windows cannot share their convolutions, or None when they can."""
        early = [name for name in inserted_names(self) if name.split(".")[0] in ("conv1", "conv2", "conv3")]
        if not early:
            return None
        return (
            f"{early[0]} stands inside the convolutions, so their result differs from window to window "
            "and neighbouring windows cannot share it"
        )

    def trunk_macs(self, height: int, width: int) -> int:
        """Multiplications of the convolutions for an image of height × width pixels."""
        macs = 0
        for layer, (depth, rows, columns) in zip(
            (self.conv1, self.conv2, self.conv3, self.conv2d), self._sizes(height, width)[1:], strict=True
        ):
            macs += layer.weight.numel() * depth * rows * columns
        return macs

    def trunk_bytes(self, height: int, width: int) -> int:
        """Memory that :meth:`features` needs at once without gradients, its input included, in bytes; an estimate."""
        channels = (1, 8, 16, 32, 64)
        sizes = self._sizes(height, width)
        image, first, second, third, last = (
            count * depth * rows * columns for count, (depth, rows, columns) in zip(channels, sizes, strict=True)
        )
        # copies in another memory layout count twice; a vector unit's 16 lanes make the first layer's 8 channels 16
        live = max(2 * image + 3 * first, 2 * first + 2 * second, 2 * second + 2 * third, 2 * third + 2 * last)
        return int(1.1 * (image + live)) * self.fc1.weight.element_size()

    def _sizes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """(depth, rows, columns) of the input and of each convolution's output."""
        depths = (self.bands, self.bands - 6, self.bands - 10, self.bands - DEPTH_LOST, 1)
        return [(depth, height - 2 * layer, width - 2 * layer) for layer, depth in enumerate(depths)]

    def _after_first(self, hidden_NC: torch.Tensor) -> torch.Tensor:
        for block in inserted_blocks(self.fc1):
            hidden_NC = block(hidden_NC)
        return self._tail(hidden_NC)

    def _tail(self, hidden_NC: torch.Tensor) -> torch.Tensor:
        for layer in (self.fc2, self.out):
            if self.head_relu:
                hidden_NC = functional.relu(hidden_NC)
            observe("head/hidden", hidden_NC)
            hidden_NC = layer(self.dropout(hidden_NC))
        return hidden_NC

    def _spectral(self, x: torch.Tensor) -> torch.Tensor:
        """The three 3-D convolutions: (N, bands, h, w) → (N, 32, bands - 12, h - 6, w - 6)."""
        x = x.unsqueeze(1)
        # an odd depth would be padded in all three layers, which eats what folding gains
        foldable = x.device.type == "cpu" and self.bands % FOLD == 0
        if not foldable or _watched(self.conv1) or _watched(self.conv2):
            return self.conv3(self.conv2(self.conv1(x)))
        x = folded_conv_relu(fold_depth(x), self.conv1.weight, self.conv1.bias)
        x = folded_conv_relu(x, self.conv2.weight, self.conv2.bias)
        return self.conv3(unfold_depth(x, self.bands - 10))

    def _dense(self, features_NCHW: torch.Tensor) -> torch.Tensor:
        return self._tail(self.fc1(features_NCHW.flatten(1)))


def _watched(module: nn.Module) -> bool:
    """Whether somebody hooked the module, so that it must be called to give its own output."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks)
