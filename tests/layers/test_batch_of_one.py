"""Batch normalisation of one image whose numbers lie transposed: PyTorch's backward on CPUs is guarded."""

from __future__ import annotations

import copy
import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tricklab.layers.batch_of_one import guard_batches_of_one
from tricklab.layers.norm_and_activation import build_norm
from tricklab.seeds import Seeds
from tricklab.tasks.networks import build_with_inserts


def as_it_is(x: Tensor) -> Tensor:
    return x.clone()


def turned(x: Tensor) -> Tensor:
    """The same numbers as behind tokens (1, positions, channels)."""
    return x.flatten(2).transpose(1, 2).contiguous().transpose(1, 2).unflatten(2, x.shape[2:])


def formula(norm: nn.Module, x: Tensor) -> Tensor:
    around, shape = [0, *range(2, x.ndim)], [1, -1, *[1] * (x.ndim - 2)]
    mean, variance = norm.running_mean.view(shape), norm.running_var.view(shape)
    if norm.training:
        mean, variance = x.mean(around, keepdim=True), x.var(around, unbiased=False, keepdim=True)
    return (x - mean) / (variance + norm.eps).sqrt() * norm.weight.view(shape) + norm.bias.view(shape)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("sides", [(3, 4), (2, 3, 4)])
@pytest.mark.parametrize(("of_input", "of_gradient"), list(itertools.product([as_it_is, turned], repeat=2)))
def test_gradients_are_those_of_the_formula(of_input, of_gradient, sides: tuple[int, ...], training: bool) -> None:
    torch.manual_seed(0)
    norm = (nn.BatchNorm2d if len(sides) == 2 else nn.BatchNorm3d)(8).double().train(training)
    nn.init.normal_(norm.weight)
    guard_batches_of_one(norm)
    values, upstream = torch.randn(2, 1, 8, *sides, dtype=torch.float64)
    found, expected = [], []
    for function, into in ((norm, found), (lambda x: formula(norm, x), expected)):
        x = of_input(values).requires_grad_()
        y = function(x)
        into += [y, *torch.autograd.grad(y, [x, norm.weight, norm.bias], of_gradient(upstream))]
    torch.testing.assert_close(found, expected)


class Tokens(nn.Module):
    """As EfficientFormer: maps, normalised, become tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm, self.last = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(self.norm(self.convolution(x)).flatten(2).transpose(1, 2))
        return y


def test_a_whole_network_is_guarded_once_and_its_copies_too() -> None:
    torch.manual_seed(0)
    network = Tokens().double()
    plain = copy.deepcopy(network)
    for _ in range(2):
        guard_batches_of_one(network)
    assert len(network.norm._forward_hooks) == len(network.norm._forward_pre_hooks) == 1
    assert list(network.state_dict()) == list(plain.state_dict())
    one, weight = torch.randn(1, 3, 5, 6, dtype=torch.float64), torch.randn(12, 2, dtype=torch.float64)
    both = torch.cat([one, one])
    for guarded in (network, copy.deepcopy(network)):
        # the statistics of an image and of it twice are the same, and PyTorch is right about two
        (guarded(one)[0] * weight).sum().backward()
        plain.zero_grad()
        (plain(both) * weight).sum().div(2).backward()
        torch.testing.assert_close(guarded.convolution.weight.grad, plain.convolution.weight.grad)
        guarded.zero_grad()


def test_heads_and_backbones_have_it_by_themselves() -> None:
    assert build_norm({"type": "BN"}, 4)._forward_pre_hooks
    assert not build_norm({"type": "GN", "num_groups": 2}, 4)._forward_pre_hooks


def test_networks_of_recipes_have_it() -> None:
    settings: Any = SimpleNamespace(model={"type": "timm", "name": "resnet10t"})
    network = build_with_inserts(settings, Seeds(0, 0), 3, channels=3, size=(32, 32))
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert all(part._forward_pre_hooks for part in norms)
