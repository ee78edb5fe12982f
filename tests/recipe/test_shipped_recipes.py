"""The recipes that come with tricklab: each loads, resolves and says what its protocol says."""

from __future__ import annotations

from typing import Any

import pytest

from tricklab import tricks
from tricklab.recipe import Recipe, load, resolve, settings, shipped

PROTOCOLS: dict[str, dict[str, Any]] = {
    "demo": {"data.scene.type": "SyntheticScene", "metric.monitor": "val/oa", "train.epochs": 10},
    "indian-pines-hybridsn": {
        "data.window": 25, "data.pca": 30, "data.split.train": 0.1, "data.fit_on": "train", "train.batch_size": 64,
        "metric.monitor": "test/oa", "model.head_relu": True, "optimizer.lr": 0.001, "train.epochs": 100,
    },
    "indian-pines-hybridsn-paper": {
        "data.window": 25, "data.pca": 30, "data.split.train": 0.3, "data.fit_on": "all", "train.batch_size": 256,
        "data.whiten": True, "data.scene.image": "Indian_pines_corrected.mat",
    },
    "salinas-a-hybridsn": {"data.window": 15, "data.pca": 15, "data.scene.image": "SalinasA_corrected.mat"},
    "salinas-a-hybridsn-disjoint": {
        "data.split.type": "DisjointBands", "data.split.angle": None, "data.window": 15, "metric.monitor": "test/oa",
    },
    "pavia-university-hybridsn": {"data.window": 25, "data.pca": 15, "data.scene.image": "PaviaU.mat"},
    "salinas-hybridsn": {"data.window": 25, "data.pca": 15, "data.scene.image": "Salinas_corrected.mat"},
    "plant-seedlings-groupmamba": {
        "task": "classification", "data.size": 224, "data.split.val": 0.3, "model.type": "GroupMamba",
        "model.size": "tiny", "optimizer.decay_norm_and_bias": False, "metric.monitor": "val/accuracy",
    },
    "plant-seedlings-resnet10t": {
        "task": "classification", "data.images.type": "ClassFolders", "data.split.train": 0.7, "data.split.val": 0.3,
        "data.duplicates": "group",
        "data.size": 64, "data.normalise": "dataset", "train.epochs": 12, "metric.monitor": "val/accuracy",
    },
    "camvid-fcn-r18": {
        "task": "segmentation", "data.images.type": "CamVidMasks", "data.split.type": "GivenImages",
        "data.crop": [192, 256], "model.type": "EncoderDecoder", "losses.1.on": "aux", "losses.1.weight": 0.4,
        "evaluate.method": "whole", "metric.monitor": "val/miou",
    },
    "camvid-pspnet-r50": {
        "task": "segmentation", "model.decode_head.type": "PSPHead", "model.backbone.depth": 50,
        "model.backbone.dilations": [1, 1, 2, 4], "optimizer.type": "SGD", "metric.monitor": "val/miou",
    },
    "cityscapes-pspnet-r50": {
        "task": "segmentation", "data.images.type": "CityscapesMasks", "data.crop": [512, 1024],
        "model.decode_head.type": "PSPHead", "model.backbone.dilations": [1, 1, 2, 4], "optimizer.lr": 0.01,
        "schedule.0.eta_min_ratio": 0.01, "train.iterations": 40000, "train.batch_size": 8, "losses.1.weight": 0.4,
    },
    "drive-unet-s5": {
        "task": "segmentation", "data.images.type": "DriveMasks", "data.crop": [64, 64], "data.split.val": 0.25,
        "model.backbone.type": "UNet", "model.backbone.num_stages": 5, "train.iterations": 40000,
        "train.batch_size": 16, "evaluate.window": [64, 64], "evaluate.stride": [42, 42], "evaluate.blend": "mean",
        "metric.monitor": "val/mdice",
    },
    "drive-unet-dice": {
        "task": "segmentation", "data.images.type": "DriveMasks", "model.backbone.type": "UNet",
        "losses.0.type": "CrossEntropyLoss", "losses.1.type": "DiceLoss", "losses.1.weight": 3.0,
        "metric.monitor": "val/mdice",
    },
    "drive-unet": {
        "task": "segmentation", "data.images.type": "DriveMasks", "data.split.val": 0.25,
        "model.backbone.type": "UNet", "evaluate.method": "slide", "evaluate.window": [128, 128],
        "metric.monitor": "val/mdice",
    },
}  # fmt: skip
CLASSES = {"indian": 16, "pavia": 9, "salinas-a": 6, "salinas-h": 16}


def test_none_is_forgotten() -> None:
    assert set(shipped()) == set(PROTOCOLS)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_shipped_recipe_follows_its_protocol(name: str) -> None:
    recipe = resolve(load(name))
    assert {path: recipe.get(path) for path in PROTOCOLS[name]} == PROTOCOLS[name]
    assert recipe.get("metric.delta") > 0, "a shipped recipe declares the smallest effect worth having"
    assert settings(recipe).task == PROTOCOLS[name].get("task", "hyperspectral")
    expected = next((count for start, count in CLASSES.items() if name.startswith(start)), None)
    assert len(recipe.get("data.class_names", None) or {}) == (expected or 0)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_without_a_validation_set_nothing_is_monitored_on_it(name: str) -> None:
    recipe = resolve(load(name))
    given = recipe.get("data.images.type", None) in ("CamVidMasks", "CityscapesMasks")
    validated = recipe.get("data.split.val", None) or given
    assert recipe.get("metric.monitor").startswith("val/" if validated else "test/")


def test_the_readme_examples_apply() -> None:
    def both(name: str) -> Recipe:
        return tricks.apply(load(name, tricks=["+step_decay(at=[41, 76])", "+se"])).recipe

    assert both("indian-pines-hybridsn").get("schedule.0.milestones") == [41, 76]
    assert both("demo").get("model.insert.0.after") == "conv2d"
