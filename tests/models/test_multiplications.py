"""Multiply-adds against sums by hand and published figures."""

from __future__ import annotations

import pytest
from torch import nn

from tricklab import registry
from tricklab.errors import UserError
from tricklab.layers.deformable_convolution import ModulatedDeformConv2dPack
from tricklab.models.multiplications import cost_of, count_macs


def test_a_convolution_and_a_dense_layer_are_counted_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2), nn.Flatten(), nn.Linear(4 * 3 * 4, 5))
    assert count_macs(model, 2, (6, 8)) == 3 * 4 * 4 * 1 * 9 + 48 * 5


def test_a_deformable_convolution_counts_its_offsets_too() -> None:
    assert count_macs(ModulatedDeformConv2dPack(4, 6, 3), 4, (5, 7)) == 35 * 9 * 4 * (6 + 27)


@pytest.mark.parametrize(
    ("config", "published"),
    [
        ({"type": "ResNet", "depth": 50}, 4.09),
        ({"type": "Res2Net", "depth": 50, "deep_stem": False, "avg_down": False}, 4.25),
        ({"type": "ResNeXt", "depth": 50}, 4.23),
    ],
)
def test_backbones_need_what_is_published(config: dict[str, object], published: float) -> None:
    model = registry.build("backbone", config, in_channels=3)
    assert count_macs(model, 3, (224, 224)) / 1e9 == pytest.approx(published, abs=0.006)


def test_modes_and_weights_are_left_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4).eval())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count_macs(model, 3, (4, 4))
    assert model.training
    assert not model[1].training
    assert all((tensor == before[name]).all() for name, tensor in model.state_dict().items())


def test_a_network_that_needs_values_computes_zeros() -> None:
    config = {"type": "GroupMamba", "embed_dims": [16, 16, 16, 16], "depths": [1, 1, 1, 1], "stem_hidden_dim": 4}
    model = registry.build("backbone", config, in_channels=3)
    cost = cost_of(model, 3, (32, 64))
    # the stem's first convolution: 7 x 7, at half the size
    assert cost.parts["patch_embed1.conv.0"] == 16 * 32 * 49 * 3 * model.patch_embed1.conv[0].out_channels
    assert cost.macs == sum(cost.of(name, module) for name, module in model.named_children())


def test_an_impossible_size_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 5))
    with pytest.raises(UserError, match="does not compute 3 x 4 x 4"):
        count_macs(model, 3, (4, 4))
