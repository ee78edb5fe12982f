"""A recipe's network, built from nothing but the recipe and what its data look like."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tricklab import registry
from tricklab import seeds as streams
from tricklab.errors import UserError
from tricklab.layers.batch_of_one import guard_batches_of_one
from tricklab.models.insert import apply_inserts
from tricklab.recipe.schema import Settings
from tricklab.seeds import Seeds

RUNNING = "input_normalisation"


def build_with_inserts(settings: Settings, seeds: Seeds, classes: int, **given: Any) -> Any:
    """The recipe's model with its inserted blocks; the same block gives the same initial weights."""
    config = {key: value for key, value in settings.model.items() if key != "insert"}
    inserts = settings.model.get("insert") or []
    with seeds.initialising():
        model = registry.build("model", config, classes=classes, **given)
        if isinstance(model, nn.Module):
            apply_inserts(model, inserts, streams.aside)
            guard_batches_of_one(model)
        elif inserts:
            raise UserError(f"{config['type']} has no modules to insert a block into", where="model.insert")
    return model


def build_image_network(settings: Settings, seeds: Seeds, classes: int, size: tuple[int, int], normalise: str) -> Any:
    """The recipe's model of images.

    Args:
        classes: number of classes.
        size: (height, width) of the images.
        normalise: name of their normalisation; ``running`` puts a batch normalisation before the network.
    """
    height, width = size
    # models of windows see an image as one window of three bands
    square = {"bands": 3, "window": height} if height == width else {}
    model = build_with_inserts(settings, seeds, classes, channels=3, size=(height, width), **square)
    if normalise == "running":
        if not isinstance(model, nn.Module):
            raise UserError("this model has no training to run along with", where="data.normalise")
        with streams.aside(RUNNING):
            model.add_module(RUNNING, nn.BatchNorm2d(3, affine=False))
        model.register_forward_pre_hook(_normalise_input)
    return model


def build_for_shape(settings: Settings, classes: int, channels: int, size: tuple[int, int]) -> nn.Module:
    """The recipe's network with random weights, without any data.

    Args:
        classes: number of classes.
        channels: of the input: colours of an image, bands of a window.
        size: (height, width) of the images, crops or windows that it trains on.

    Raises:
        UserError: the model is no network, or not one for such an input.
    """
    height, width = size
    square = {"bands": channels, "window": height} if height == width else {}
    model = build_with_inserts(settings, Seeds(settings.seed, 0), classes, channels=channels, size=size, **square)
    if not isinstance(model, nn.Module):
        raise UserError(f"{settings.model['type']} is no network: it has no layers to count", where="model.type")
    return model


def _normalise_input(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (getattr(module, RUNNING)(arguments[0]), *arguments[1:])
