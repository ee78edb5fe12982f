"""Deformable convolutions against plain ones, a sampled loop, and mmcv's names."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.deformable_convolution import DeformConv2dPack, ModulatedDeformConv2dPack
from tricklab.observe import listening


def sampled(image_HW: Tensor, y: float, x: float) -> float:
    """Bilinear, zero outside."""
    total = 0.0
    top, left = int(y // 1), int(x // 1)
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < image_HW.shape[0] and 0 <= column < image_HW.shape[1]:
                total += (1 - abs(y - row)) * (1 - abs(x - column)) * float(image_HW[row, column])
    return total


@pytest.mark.parametrize("made", [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_it_is_the_sum_over_moved_taps(made: type[DeformConv2dPack]) -> None:
    torch.manual_seed(0)
    layer = made(2, 3, 3, stride=2, dilation=2).double()
    torch.nn.init.normal_(layer.conv_offset.weight, std=0.3)
    torch.nn.init.normal_(layer.conv_offset.bias, std=0.7)
    layer.requires_grad_(False)
    x = torch.randn(1, 2, 7, 6, dtype=torch.float64)
    offset = layer.conv_offset(x)[0]
    scale = torch.sigmoid(offset[18:]) if layer.modulated else torch.ones(9, *offset.shape[1:])
    found = layer(x)[0]
    expected = torch.zeros_like(found)
    for row in range(found.shape[1]):
        for column in range(found.shape[2]):
            for tap in range(9):
                y = row * 2 - 2 + tap // 3 * 2 + float(offset[2 * tap, row, column])
                x_ = column * 2 - 2 + tap % 3 * 2 + float(offset[2 * tap + 1, row, column])
                for c in range(2):
                    value = sampled(x[0, c], y, x_) * float(scale[tap, row, column])
                    expected[:, row, column] += layer.weight[:, c].flatten(1)[:, tap] * value
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_it_begins_as_the_plain_convolution_or_half_of_it() -> None:
    x = torch.randn(2, 4, 6, 5)
    for made, factor in ((DeformConv2dPack, 1.0), (ModulatedDeformConv2dPack, 0.5)):
        layer = made(4, 6, 3, stride=2, groups=2, deform_groups=2)
        plain = functional.conv2d(x, layer.weight, None, 2, 1, 1, 2)
        torch.testing.assert_close(layer(x), factor * plain, rtol=1e-5, atol=1e-6)


def test_names_and_offsets_are_mmcvs() -> None:
    for made, maps in ((DeformConv2dPack, 2), (ModulatedDeformConv2dPack, 3)):
        layer = made(4, 6, 3, deform_groups=2)
        assert list(layer.state_dict()) == ["weight", "conv_offset.weight", "conv_offset.bias"]
        assert layer.conv_offset.out_channels == maps * 9 * 2


def test_weights_are_those_that_a_plain_layer_would_draw() -> None:
    from tricklab.models.segmentation.residual_blocks import BlockStyle, spatial_convolution

    drawn = []
    for dcn in (None, {"type": "DCN"}, {"type": "DCNv2"}):
        torch.manual_seed(0)
        layer = spatial_convolution(4, 1, 1, BlockStyle({"type": "BN"}, dcn=dcn))
        drawn.append((layer.weight, torch.rand(3)))
    for weight, after in drawn[1:]:
        assert torch.equal(weight, drawn[0][0])
        assert torch.equal(after, drawn[0][1])


def test_offsets_are_observed_and_learn() -> None:
    layer = DeformConv2dPack(2, 2, 3)
    with listening() as listener:
        layer(torch.randn(1, 2, 5, 5)).square().sum().backward()
    assert listener.drain()["dcn/offset"]["count"] == 18 * 25
    assert layer.conv_offset.weight.grad.abs().sum() > 0


def test_groups_that_do_not_divide_are_refused() -> None:
    with pytest.raises(UserError, match="deform_groups 3 does not divide 4 channels"):
        DeformConv2dPack(4, 4, 3, deform_groups=3)
