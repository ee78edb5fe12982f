"""The straightforward script that hyperspectral courses pass around: every window in memory, a plain loop.

Written after the widespread PyTorch port of HybridSN: windows cut in a Python loop into one float64 array of the whole
scene, unlabelled ones dropped, the rest split, transposed, made a float32 tensor; a data set that returns one item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from tricklab.layers.squeeze_excitation import SE


class PlainHybridSN(nn.Module):
    """The published network with PyTorch's own layers; ``se`` puts SE after the 2-D convolution."""

    def __init__(self, bands: int, window: int, classes: int, se: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(1, 8, (7, 3, 3))
        self.conv2 = nn.Conv3d(8, 16, (5, 3, 3))
        self.conv3 = nn.Conv3d(16, 32, (3, 3, 3))
        self.conv2d = nn.Conv2d(32 * (bands - 12), 64, (3, 3))
        self.se = SE(channels=64) if se else nn.Identity()
        self.fc1 = nn.Linear(64 * (window - 8) ** 2, 256)
        self.fc2 = nn.Linear(256, 128)
        self.out = nn.Linear(128, classes)
        self.dropout = nn.Dropout(p=0.4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.conv1(x))
        x = functional.relu(self.conv2(x))
        x = functional.relu(self.conv3(x))
        x = x.view(-1, x.shape[1] * x.shape[2], x.shape[3], x.shape[4])
        x = self.se(functional.relu(self.conv2d(x)))
        x = x.view(x.size(0), -1)
        x = self.dropout(functional.relu(self.fc1(x)))
        x = self.dropout(functional.relu(self.fc2(x)))
        return self.out(x)


def image_cubes(scene_HWB: np.ndarray, labels_HW: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """All windows of labelled pixels, float64 (N, S, S, B), as the script makes them."""
    margin = (window - 1) // 2
    height, width, bands = scene_HWB.shape
    padded = np.zeros((height + 2 * margin, width + 2 * margin, bands))
    padded[margin : height + margin, margin : width + margin] = scene_HWB
    windows = np.zeros((height * width, window, window, bands))
    labels = np.zeros(height * width)
    index = 0
    for row in range(margin, height + margin):
        for column in range(margin, width + margin):
            windows[index] = padded[row - margin : row + margin + 1, column - margin : column + margin + 1]
            labels[index] = labels_HW[row - margin, column - margin]
            index += 1
    return windows[labels > 0], labels[labels > 0] - 1


class TrainDS(Dataset[tuple[Tensor, Tensor]]):
    """The script's data set: the windows as one float32 tensor (N, 1, B, S, S)."""

    def __init__(self, windows: np.ndarray, labels: np.ndarray) -> None:
        self.x_data, self.y_data = torch.FloatTensor(windows), torch.LongTensor(labels)

    def __len__(self) -> int:
        return len(self.x_data)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x_data[index], self.y_data[index]


def data_set(scene_HWB: np.ndarray, labels_HW: np.ndarray, window: int, chosen: np.ndarray) -> TrainDS:
    """The training data as the script builds it; ``chosen`` are numbers of labelled pixels."""
    windows, labels = image_cubes(scene_HWB, labels_HW, window)
    train = windows[chosen].reshape(-1, window, window, scene_HWB.shape[2], 1).transpose(0, 4, 3, 1, 2)
    return TrainDS(train, labels[chosen])


def training_step(data: TrainDS, model: nn.Module, batch: int) -> Callable[[], None]:
    """One step of the script's loop."""
    loader = DataLoader(data, batch_size=batch, shuffle=True, drop_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def forever() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    batches = forever()
    total = 0.0

    def step() -> None:
        nonlocal total
        inputs, labels = next(batches)
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()

    return step
