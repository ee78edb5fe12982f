"""Folding depth into channels changes the layout of a convolution's products, not their sum."""

import pytest
import torch
from torch.nn import functional

from tricklab.layers.convolution import DepthConvReLU2d
from tricklab.layers.depth_folding import fold_depth, fold_weight, folded_conv_relu, unfold_depth


@pytest.mark.parametrize("depth", [6, 7])
def test_unfolding_undoes_folding(depth: int) -> None:
    x = torch.randn(2, 3, depth, 4, 5)
    folded = fold_depth(x)
    assert folded.shape == (2, 6, (depth + 1) // 2, 4, 5)
    assert folded.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(unfold_depth(folded, depth), x)


@pytest.mark.parametrize(("depth", "kernel"), [(12, 7), (11, 5), (8, 3), (9, 4), (5, 1)])
def test_the_folded_convolution_and_its_gradients_are_the_plain_ones(depth: int, kernel: int) -> None:
    torch.manual_seed(depth)
    x = torch.randn(2, 3, depth, 6, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 3, kernel, 3, 2, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    expected = functional.relu(functional.conv3d(x, weight, bias))
    got = unfold_depth(folded_conv_relu(fold_depth(x), weight, bias), depth - kernel + 1)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    upstream = torch.randn_like(expected)
    for mine, theirs in zip(
        torch.autograd.grad((got * upstream).sum(), (x, weight, bias)),
        torch.autograd.grad((expected * upstream).sum(), (x, weight, bias)),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-11)


def test_the_kernel_holds_each_weight_once_per_phase() -> None:
    weight = torch.rand(4, 3, 5, 3, 3) + 1
    folded = fold_weight(weight)
    assert folded.shape == (8, 6, 3, 3, 3)
    assert folded.count_nonzero() == 2 * weight.numel()
    torch.testing.assert_close(folded.double().sum(), 2 * weight.double().sum())


def test_depth_counts_as_channels_in_both_memory_layouts() -> None:
    torch.manual_seed(0)
    layer = DepthConvReLU2d(3 * 4, 5, 3).double()
    x = torch.randn(2, 3, 4, 6, 7, dtype=torch.float64)
    expected = functional.relu(functional.conv2d(x.reshape(2, 12, 6, 7), layer.weight, layer.bias))
    torch.testing.assert_close(layer(x), expected, rtol=1e-12, atol=1e-12)
    last = x.to(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(layer(last), expected, rtol=1e-12, atol=1e-12)
