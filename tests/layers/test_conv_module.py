"""ConvModule and its depthwise-separable relative: names, order, first weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.conv_module import ConvModule, DepthwiseSeparableConvModule


def test_it_is_convolution_norm_activation_in_this_order() -> None:
    torch.manual_seed(0)
    module = ConvModule(3, 4, 3, stride=2, dilation=2, norm_cfg={"type": "BN"}).double().eval()
    torch.nn.init.normal_(module.bn.bias)
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    expected = functional.conv2d(x, module.conv.weight, None, 2, 2, 2) / math.sqrt(1 + 1e-5)
    expected = functional.relu(expected + module.bn.bias[:, None, None])
    torch.testing.assert_close(module(x), expected)


def test_names_are_mmcvs() -> None:
    def names(norm: dict[str, object] | None) -> list[str]:
        return [name for name, _ in ConvModule(3, 4, 1, norm_cfg=norm).named_parameters()]

    assert names({"type": "BN"}) == ["conv.weight", "bn.weight", "bn.bias"]
    assert names({"type": "GN", "num_groups": 2}) == ["conv.weight", "gn.weight", "gn.bias"]
    assert names(None) == ["conv.weight", "conv.bias"]
    separable = DepthwiseSeparableConvModule(4, 6, 3, dilation=2)
    assert {name: tuple(p.shape) for name, p in separable.named_parameters()} == {
        "depthwise_conv.conv.weight": (4, 1, 3, 3),
        "depthwise_conv.conv.bias": (4,),
        "pointwise_conv.conv.weight": (6, 4, 1, 1),
        "pointwise_conv.conv.bias": (6,),
    }
    assert separable(torch.zeros(1, 4, 5, 6)).shape == (1, 6, 5, 6)


def test_first_weights_are_he_normal_over_the_outputs() -> None:
    torch.manual_seed(0)
    weight = ConvModule(16, 64, 3).conv.weight.detach()
    assert float(weight.std()) == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.03)
    leaky = ConvModule(16, 64, 3, act_cfg={"type": "LeakyReLU", "negative_slope": 1.0}).conv.weight.detach()
    assert float(leaky.std()) == pytest.approx(math.sqrt(1 / (64 * 9)), rel=0.03)


def test_a_single_value_to_normalise_is_refused_while_training_only() -> None:
    module = ConvModule(3, 4, 1, norm_cfg={"type": "BN"})
    with pytest.raises(UserError, match="single value per channel"):
        module(torch.zeros(1, 3, 1, 1))
    assert module(torch.zeros(2, 3, 1, 1)).shape == (2, 4, 1, 1)
    assert module.eval()(torch.zeros(1, 3, 1, 1)).shape == (1, 4, 1, 1)
    assert ConvModule(3, 4, 1, norm_cfg={"type": "GN", "num_groups": 1})(torch.zeros(1, 3, 1, 1)).shape == (1, 4, 1, 1)
