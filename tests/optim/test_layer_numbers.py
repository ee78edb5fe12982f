"""Layers from the input to the head: timm's own grouping, GroupMamba's blocks, and the rule for any other module."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.models import group_parameters
from torch import nn

from tricklab import registry
from tricklab.models.groupmamba import GroupMamba
from tricklab.optim import classifier_parameters, layer_numbers


@pytest.mark.parametrize("name", ["resnet10t", "convnext_atto", "test_vit", "efficientnet_lite0", "test_resnet"])
def test_timm_models_are_grouped_as_timm_does(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=5)
    assert layer_numbers(model) == group_parameters(model, model.group_matcher(coarse=False), reverse=True)


def small_groupmamba(**options: bool) -> GroupMamba:
    return GroupMamba(embed_dims=[16, 16, 32, 32], depths=[1, 2, 1, 1], classes=4, **options)


def test_groupmamba_counts_its_stem_its_blocks_and_its_head() -> None:
    model = small_groupmamba(distillation=True)
    numbers = layer_numbers(model)
    assert list(numbers) == [name for name, _ in model.named_parameters()]
    firsts = {
        "patch_embed1.": 0, "block1.0.": 1, "norm1.": 1, "patch_embed2.": 2, "block2.0.": 2, "block2.1.": 3,
        "norm2.": 3, "patch_embed3.": 4, "block3.0.": 4, "block4.0.": 5, "norm4.": 5, "post_network.": 6,
        "head.": 6, "dist_head.": 6,
    }  # fmt: skip
    for name, number in numbers.items():
        (start,) = (start for start in (*firsts, "norm3.", "patch_embed4.") if name.startswith(start))
        assert number == {**firsts, "norm3.": 4, "patch_embed4.": 5}[start], name
    coarse = group_parameters(model, model.group_matcher(coarse=True), reverse=True)
    assert {coarse[name] for name in coarse if name.startswith(("patch_embed2", "block2", "norm2"))} == {2}


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3)
        self.shortcut = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.bn1 = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2)
        self.stage1 = nn.Sequential(Block(), Block())
        self.stage2 = nn.ModuleList([nn.Sequential(Block())])
        self.fc = nn.Linear(4, 2)


class Wrapper(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner


def test_any_other_module_by_its_parts() -> None:
    expected = {"scale": 0, "conv1": 0, "bn1": 0, "stage1.0": 1, "stage1.1": 2, "stage2.0.0": 3, "fc": 4}
    for name, number in layer_numbers(Network()).items():
        (part,) = (part for part in expected if name == part or name.startswith(f"{part}."))
        assert number == expected[part], name
    assert list(layer_numbers(Wrapper(Network())).values()) == list(layer_numbers(Network()).values())


def test_a_part_that_groups_itself_is_asked() -> None:
    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = timm.create_model("test_resnet", num_classes=0)
            self.head = nn.Linear(4, 2)

    model = TwoHeads()
    numbers = layer_numbers(model)
    inner = group_parameters(model.backbone, model.backbone.group_matcher(coarse=False), reverse=True)
    assert {name: numbers[f"backbone.{name}"] for name in inner} == inner
    assert numbers["head.weight"] == max(inner.values()) + 1


def test_a_shared_parameter_has_one_layer() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    assert layer_numbers(model) == {"0.weight": 0, "0.bias": 0, "1.bias": 1}


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Network(), ["fc.weight", "fc.bias"]),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), ["0.weight", "0.bias"]),
        (nn.BatchNorm2d(4), []),
        (timm.create_model("test_resnet", num_classes=3), ["fc.weight", "fc.bias"]),
        (small_groupmamba(), ["head.weight", "head.bias"]),
        (small_groupmamba(distillation=True), ["head.weight", "head.bias", "dist_head.weight", "dist_head.bias"]),
    ],
)
def test_the_classifier(model: nn.Module, names: list[str]) -> None:
    assert classifier_parameters(model) == names


def test_a_backbone_has_no_classifier() -> None:
    assert classifier_parameters(small_groupmamba(features=True)) == []


def test_a_second_head_is_of_the_last_layer() -> None:
    config = {"type": "timm", "name": "test_resnet", "distillation": True}
    model = registry.build("model", config, classes=3, channels=3)
    heads = [f"fc.{name}" for name in ("weight", "bias", "distillation.weight", "distillation.bias")]
    numbers = layer_numbers(model)
    assert [name for name in numbers if numbers[name] == max(numbers.values())] == heads
    assert classifier_parameters(model) == heads


def test_efficientmod_counts_its_blocks() -> None:
    with torch.device("meta"):
        model = registry.build("model", {"type": "EfficientMod"}, classes=3, channels=3)
    numbers = layer_numbers(model)
    blocks = {".".join(name.split(".")[:4]) for name in numbers if ".blocks." in name}
    assert max(numbers.values()) == len(blocks) + 1
    assert numbers["norm.weight"] == numbers["head.weight"] == len(blocks) + 1
