"""Layers in numpy and float64, one image (C, H, W) at a time, to hold the blocks against their papers' formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.layers.context.test_contract import build

Array = np.ndarray[Any, Any]
Weights = dict[str, Array]


def lively(name: str, channels: int = 16, **options: Any) -> tuple[nn.Module, Weights]:
    """A block in float64 and evaluation mode of which no number is one or zero, and its stored numbers."""
    block = build(name, channels, **options).double().eval()
    with torch.no_grad():
        for key, number in block.state_dict().items():
            if key.endswith("running_var"):
                number.uniform_(0.5, 2.0)
            elif key.endswith("running_mean"):
                number.normal_()
            elif number.ndim == 1 or not number.any():
                number.normal_(std=0.5) if number.is_floating_point() else None
    return block, {key: number.numpy() for key, number in block.state_dict().items()}


def assert_agrees(block: nn.Module, formula: Callable[[Array], Array], size: tuple[int, int] = (5, 4)) -> None:
    """Two images through the block, and each by itself through the formula."""
    x = torch.randn(2, block.channels, *size, dtype=torch.float64)
    expected = np.stack([formula(image) for image in x.numpy()])
    with torch.no_grad():
        found = block(x).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert np.abs(expected - x.numpy()).max() > 0.05


def conv(weights: Weights, name: str, x: Array, groups: int = 1) -> Array:
    """Convolution with an odd kernel, zeros outside."""
    kernel = weights[f"{name}.weight"]
    outputs, inputs, rows, columns = kernel.shape
    if groups > 1:
        parts = zip(np.split(kernel, groups), np.split(x, groups), strict=True)
        return np.concatenate([conv({"0.weight": part}, "0", of) for part, of in parts])
    padded = np.pad(x, ((0, 0), (rows // 2,) * 2, (columns // 2,) * 2))
    found = np.zeros((outputs, *x.shape[1:]))
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            seen = padded[:, row : row + rows, column : column + columns]
            assert seen.shape == (inputs, rows, columns)
            found[:, row, column] = (kernel * seen).sum(axis=(1, 2, 3))
    bias = weights.get(f"{name}.bias")
    return found if bias is None else found + bias[:, None, None]


def norm(weights: Weights, name: str, x: Array, eps: float = 1e-5) -> Array:
    """Batch normalisation in evaluation."""
    mean, variance, scale, shift = (
        weights[f"{name}.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + eps) * scale + shift


def conv_norm_relu(weights: Weights, name: str, x: Array) -> Array:
    """Layers ``conv``, ``bn`` and a ReLU."""
    return relu(norm(weights, f"{name}.bn", conv(weights, f"{name}.conv", x)))


def pair(weights: Weights, name: str, x: Array, first: int = 0) -> Array:
    """Convolution and normalisation, two layers of a sequence."""
    return norm(weights, f"{name}.{first + 1}", conv(weights, f"{name}.{first}", x))


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.01 * x)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    """Of a vector."""
    assert x.ndim == 1
    raised = np.exp(x - x.max())
    return raised / raised.sum()


def unit(x: Array) -> Array:
    """A vector of length one; zero stays zero."""
    return x / max(float(np.sqrt((x**2).sum())), 1e-12)


def pooled(x: Array, height: int, width: int) -> Array:
    """Means of height × width cells that cover the map, which may overlap by one pixel."""
    found = np.zeros((len(x), height, width))
    for i in range(height):
        top, bottom = i * x.shape[1] // height, -(-(i + 1) * x.shape[1] // height)
        for j in range(width):
            left, right = j * x.shape[2] // width, -(-(j + 1) * x.shape[2] // width)
            found[:, i, j] = x[:, top:bottom, left:right].mean(axis=(1, 2))
    return found


def resized(x: Array, height: int, width: int) -> Array:
    """Bilinear, corners on corners."""
    found = np.zeros((len(x), height, width))
    for i in range(height):
        for j in range(width):
            y = i * (x.shape[1] - 1) / max(height - 1, 1)
            z = j * (x.shape[2] - 1) / max(width - 1, 1)
            for row in range(x.shape[1]):
                for column in range(x.shape[2]):
                    share = max(0.0, 1 - abs(y - row)) * max(0.0, 1 - abs(z - column))
                    found[:, i, j] += share * x[:, row, column]
    return found


def positions(x: Array) -> list[tuple[int, int]]:
    """All (row, column) of a map."""
    return [(row, column) for row in range(x.shape[1]) for column in range(x.shape[2])]


def columns_of(x: Array) -> Array:
    """Pixels one after the other: (HW, C)."""
    return np.stack([x[:, row, column] for row, column in positions(x)])


def as_map(pixels: Array, like: Array) -> Array:
    """The inverse of ``columns_of``."""
    found = np.zeros((pixels.shape[1], *like.shape[1:]))
    for number, (row, column) in enumerate(positions(like)):
        found[:, row, column] = pixels[number]
    return found
