"""Second heads of timm's networks: names, bits, modes, gradients."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from tricklab import registry
from tricklab.errors import UserError
from tricklab.seeds import Seeds

CLASSES = 5


def build(name: str, distillation: bool = True, **keys: Any) -> torch.nn.Module:
    config = {"type": "timm", "name": name, "distillation": distillation, **keys}
    with Seeds(0, 0).initialising():
        model: torch.nn.Module = registry.build("model", config, classes=CLASSES, channels=3)
    return model


def images(size: int = 32) -> torch.Tensor:
    return torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_vit"])
def test_a_second_head_leaves_the_first_as_it_is(name: str) -> None:
    size = 160 if name == "test_vit" else 32
    plain, two = build(name, distillation=False), build(name)
    own, both = plain.state_dict(), two.state_dict()
    added = sorted(set(both) - set(own))
    assert [key.rpartition("distillation.")[2] for key in added] == ["bias", "weight"]
    assert all(torch.equal(own[key], both[key]) for key in own)
    torch.manual_seed(1)
    found = two.train()(images(size))
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        "main": (4, CLASSES),
        "distillation": (4, CLASSES),
    }
    torch.manual_seed(1)
    assert torch.equal(found["main"], plain.train()(images(size))["main"])
    two.eval()
    assert list(two(images(size))) == ["main"]


def test_an_evaluation_gives_the_mean_of_both_heads() -> None:
    model = build("test_resnet").eval()
    features = model.forward_head(model.forward_features(images()), pre_logits=True)
    first = torch.nn.functional.linear(features, model.fc.weight, model.fc.bias)
    torch.testing.assert_close(model(images())["main"], (first + model.fc.distillation(features)) / 2)


def test_each_head_learns_from_its_own_output_alone() -> None:
    model = build("test_resnet").train()
    model(images())["distillation"].sum().backward()
    assert model.fc.weight.grad.abs().sum() == 0
    assert model.fc.distillation.weight.grad.abs().sum() > 0
    assert next(model.parameters()).grad.abs().sum() > 0


def test_a_copy_has_heads_of_its_own() -> None:
    model = build("test_resnet").eval()
    other = copy.deepcopy(model)
    before = model(images())["main"]
    torch.nn.init.zeros_(other.fc.distillation.weight)
    assert torch.equal(model(images())["main"], before)
    assert not torch.equal(other(images())["main"], before)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("deit_tiny_distilled_patch16_224", 224), ("levit_128s", 224)])
def test_networks_with_two_heads_of_their_own_use_them(name: str, size: int) -> None:
    plain, two = build(name, distillation=False), build(name)
    assert set(two.state_dict()) == set(plain.state_dict())
    assert list(two.train()(images(size))) == ["main", "distillation"]
    assert list(plain.train()(images(size))) == ["main"]
    torch.testing.assert_close(two.eval()(images(size))["main"], plain.eval()(images(size))["main"])


def test_a_classifier_that_is_not_linear_is_refused() -> None:
    message = "model.distillation: a second head needs one linear classifier.*'classifier', a Conv2d"
    with pytest.raises(UserError, match=message):
        build("dpn48b")
