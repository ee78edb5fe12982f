"""Normalisations and activations by OpenMMLab's configs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.layers.norm_and_activation import build_activation, build_norm, norm_name


@pytest.mark.parametrize(
    ("config", "kind", "name"),
    [
        ({"type": "BN", "eps": 1e-3, "momentum": 0.01}, nn.BatchNorm2d, "bn"),
        ({"type": "SyncBN", "requires_grad": True}, nn.BatchNorm2d, "bn"),
        ({"type": "GN", "num_groups": 2}, nn.GroupNorm, "gn"),
        ({"type": "IN", "affine": True}, nn.InstanceNorm2d, "in"),
    ],
)
def test_norms_are_torchs_under_mmcvs_names(config: dict[str, Any], kind: type[nn.Module], name: str) -> None:
    norm = build_norm(config, 8)
    assert type(norm) is kind
    assert norm_name(config) == name
    for key in ("eps", "momentum", "num_groups", "affine"):
        assert key not in config or getattr(norm, key) == config[key]
    assert norm(torch.randn(2, 8, 3, 3)).shape == (2, 8, 3, 3)


def test_scale_and_shift_may_be_frozen() -> None:
    assert all(p.requires_grad for p in build_norm({"type": "BN"}, 4).parameters())
    assert not any(p.requires_grad for p in build_norm({"type": "BN", "requires_grad": False}, 4).parameters())


def test_activations_do_what_they_are_named_after() -> None:
    x = torch.tensor([-2.0, 3.0])
    assert build_activation({"type": "ReLU"})(x.clone()).tolist() == [0.0, 3.0]
    assert build_activation({"type": "LeakyReLU", "negative_slope": 0.5})(x.clone()).tolist() == [-1.0, 3.0]
    assert build_activation({"type": "ReLU"}, inplace=False)(x) is not x
    torch.testing.assert_close(build_activation({"type": "GELU"})(x), nn.functional.gelu(x))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "NB"}, "unknown type 'NB'.*BN"),
        ({"type": "BN", "epsilon": 1}, "unknown key 'epsilon' of BN.*eps"),
        ({"type": "GN", "num_groups": 3}, "num_groups that divides 8 channels, not 3"),
        ({"type": "GN"}, "num_groups that divides 8 channels, not None"),
    ],
)
def test_wrong_norms_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_norm(config, 8)


def test_wrong_activations_are_refused() -> None:
    with pytest.raises(UserError, match=r"act_cfg: unknown type 'Relu'.*ReLU"):
        build_activation({"type": "Relu"})
    with pytest.raises(UserError, match=r"unknown key 'slope' of LeakyReLU.*negative_slope"):
        build_activation({"type": "LeakyReLU", "slope": 1})
