"""The parts of GroupMamba: the group layer with its channel gates, the blocks, the convolutions between the stages."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from tricklab.layers.feed_forward import ConvFeedForward, FeedForward
from tricklab.layers.selective_scan_2d import SelectiveScan2d, scan_groups
from tricklab.observe import observe

REDUCTION = 16
EPSILON = 1e-6
DIRECTIONS = {
    1: ("row",),
    2: ("row", "row-reversed"),
    4: ("row", "column", "row-reversed", "column-reversed"),
}


class GroupMambaLayer(nn.Module):
    """Scan quarters of the channels in different directions, multiply with the input, weigh channels, project.

    ``x = norm(x)``; ``s = sigmoid(fc2(relu(fc1(mean of x over pixels))))``; ``m`` the mixers' outputs side by side;
    ``out = proj(norm(m * skip_scale * x * s))`` with one norm for both. The paper draws a sum with the input and a
    perceptron in each group; its code, which gave the published figures, has this product and no perceptron.

    Args:
        channels: width of input and output.
        groups: mixers ``mamba_g1``, ``mamba_g2``, …; each has its share of the channels. With one mixer all channels
            are scanned in all directions and the scans are summed, as in VMamba.
        directions: 4 rows, columns and both backwards; 2 rows forwards and backwards; 1 rows. Groups take turns.
        modulation: weigh channels by ``s``; without it there are no ``fc1`` and ``fc2``.

    Observes ``groupmamba/modulation``, the channel weights.
    """

    def __init__(self, channels: int, groups: int = 4, directions: int = 4, modulation: bool = True) -> None:
        super().__init__()
        self.modulation = modulation
        if modulation:
            self.fc1 = nn.Linear(channels, channels // REDUCTION)
            self.fc2 = nn.Linear(channels // REDUCTION, channels)
        self.norm = nn.LayerNorm(channels)
        paths = directions if groups == 1 else 1
        for group in range(1, groups + 1):
            self.add_module(f"mamba_g{group}", SelectiveScan2d(channels // groups, paths=paths))
        self.proj = nn.Linear(channels, channels)
        self.skip_scale = nn.Parameter(torch.ones(1))
        names = DIRECTIONS[directions]
        self.directions = tuple(names[path % directions] for path in range(groups * paths))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(batch, pixels, channels) → the same shape; ``size`` is (height, width)."""
        x = self.norm(x)
        mixed = scan_groups(self._mixers(), x, size, self.directions) * x
        scale: Tensor = self.skip_scale
        if self.modulation:
            weights_BC = torch.sigmoid(self.fc2(functional.relu(self.fc1(x.mean(1)))))
            observe("groupmamba/modulation", weights_BC)
            scale = scale * weights_BC.unsqueeze(1)
        return self.proj(self.norm(mixed * scale))

    def _mixers(self) -> list[SelectiveScan2d]:
        return [module for module in self.children() if isinstance(module, SelectiveScan2d)]


class Block(nn.Module):
    """A group layer and a convolutional perceptron, each added to its input; ``norm2`` stands before the second."""

    def __init__(self, channels: int, hidden: int, drop_path: float, groups: int, directions: int, modulation: bool):
        super().__init__()
        self.norm2 = nn.LayerNorm(channels, eps=EPSILON)
        self.attn = GroupMambaLayer(channels, groups, directions, modulation)
        self.mlp = ConvFeedForward(channels, hidden)
        self.drop_path = StochasticDepth(drop_path, "row")

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(batch, pixels, channels) → the same shape; ``size`` is (height, width)."""
        x = x + self.drop_path(self.attn(x, size))
        return x + self.drop_path(self.mlp(self.norm2(x), size))


class ClassBlock(nn.Module):
    """The post block: a group layer on the class token alone, an image of one pixel, and a perceptron."""

    def __init__(self, channels: int, hidden: int, groups: int, directions: int, modulation: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=EPSILON)
        self.norm2 = nn.LayerNorm(channels, eps=EPSILON)
        self.attn = GroupMambaLayer(channels, groups, directions, modulation)
        self.mlp = FeedForward(channels, hidden)

    def forward(self, token_B1C: Tensor) -> Tensor:
        """(batch, 1, channels) → the same shape."""
        token_B1C = token_B1C + self.norm1(self.attn(token_B1C, (1, 1)))
        return token_B1C + self.mlp(self.norm2(token_B1C))


class Downsample(nn.Module):
    """Halve height and width (odd ones rounded up) by a 3 × 3 convolution; the image becomes normalised tokens."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, out_channels, 3, stride=2, padding=1)
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, image_BCHW: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(batch, channels, height, width) → tokens (batch, pixels, channels) and their (height, width)."""
        return _tokens(self.proj(image_BCHW), self.norm)


class Stem(nn.Module):
    """Three convolutions with batch norm at half the size and one that halves again; the image becomes tokens."""

    def __init__(self, channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        convolutions: list[nn.Module] = []
        for before, kernel, stride in ((channels, 7, 2), (hidden, 3, 1), (hidden, 3, 1)):
            convolutions += [
                nn.Conv2d(before, hidden, kernel, stride=stride, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(hidden),
                nn.ReLU(inplace=True),
            ]
        self.conv = nn.Sequential(*convolutions)
        self.proj = nn.Conv2d(hidden, out_channels, 3, stride=2, padding=1)
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, image_BCHW: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(batch, channels, height, width) → tokens (batch, pixels, channels) and their (height, width)."""
        # channels last in memory is what tokens are, and what convolutions and batch norm are fastest with
        image_BCHW = image_BCHW.contiguous(memory_format=torch.channels_last)
        return _tokens(self.proj(self.conv(image_BCHW)), self.norm)


def _tokens(image_BCHW: Tensor, norm: nn.LayerNorm) -> tuple[Tensor, tuple[int, int]]:
    height, width = image_BCHW.shape[2:]
    return norm(image_BCHW.flatten(2).transpose(1, 2)), (height, width)
