"""Adaptive gradient clipping against timm's function."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from timm.utils import adaptive_clip_grad
from torch import nn

from tricklab.models.groupmamba import GroupMamba
from tricklab.optim.adaptive_clipping import clip_adaptively_


def with_gradients(model: nn.Module, dtype: torch.dtype, scale: float) -> nn.Module:
    model = model.to(dtype)
    generator = torch.Generator().manual_seed(0)
    for number, parameter in enumerate(model.parameters()):
        spread = scale * 10.0 ** (number % 5 - 3)
        parameter.grad = (torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * spread).to(dtype)
    return model


MODELS = {
    "resnet": lambda: timm.create_model("test_resnet", num_classes=3),
    "vit": lambda: timm.create_model("test_vit", num_classes=3),
    "groupmamba": lambda: GroupMamba(embed_dims=[16, 16, 32, 32], depths=[1, 1, 1, 1], classes=3),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-13), (torch.float32, 1e-6)])
@pytest.mark.parametrize(("factor", "scale"), [(0.01, 1.0), (0.5, 1e-2), (1e-4, 1e-6)])
def test_gradients_are_timms(name: str, dtype: torch.dtype, rtol: float, factor: float, scale: float) -> None:
    torch.manual_seed(0)
    model = with_gradients(MODELS[name](), dtype, scale)
    peer = copy.deepcopy(model)
    for own, other in zip(model.parameters(), peer.parameters(), strict=True):
        other.grad = own.grad.clone()
    before = [parameter.grad.clone() for parameter in model.parameters()]
    adaptive_clip_grad(peer.parameters(), factor)
    share = clip_adaptively_(model.parameters(), factor)
    for own, other in zip(model.parameters(), peer.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=rtol, atol=0)
    units, cut = 0, 0
    for old, new in zip(before, (parameter.grad for parameter in model.parameters()), strict=True):
        old, new = (old[None], new[None]) if old.ndim < 2 else (old, new)
        units += len(old)
        cut += int((old != new).flatten(1).any(1).sum())
    assert 0 < cut < units
    assert float(share) == pytest.approx(cut / units, abs=1e-6)


def test_parameters_without_a_gradient_are_left_out() -> None:
    weight, other = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    assert float(clip_adaptively_([weight, other], 0.01)) == 0
    other.grad = torch.ones(2)
    assert float(clip_adaptively_([weight, other], 0.01)) == 1
    torch.testing.assert_close(other.grad, torch.full((2,), 0.01))
    assert weight.grad is None


def test_a_scalar_is_one_unit() -> None:
    scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    scale.grad = torch.tensor(1.0, dtype=torch.float64)
    clip_adaptively_([scale], 0.01)
    assert float(scale.grad) == pytest.approx(0.02, rel=1e-12)


def test_bfloat16_gradients_are_measured_in_float32() -> None:
    weight = nn.Parameter(torch.ones(1, 70000, dtype=torch.bfloat16))
    weight.grad = torch.full((1, 70000), 2.0, dtype=torch.bfloat16)
    clip_adaptively_([weight], 0.5)
    torch.testing.assert_close(weight.grad, torch.full((1, 70000), 0.5, dtype=torch.bfloat16))
