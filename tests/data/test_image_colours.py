"""Colour operations against Pillow, byte for byte, and jitter against torchvision's steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torchvision.transforms.v2 import functional

from tests.data.image_batches import differences, draws, from_pictures, noise, pictures, smooth
from tricklab.data.image_transforms import colours, tables
from tricklab.data.image_transforms.arguments import between
from tricklab.data.image_transforms.colour_jitter import ColourJitter
from tricklab.data.image_transforms.random_grey import RandomGrey

IMAGES = torch.cat([smooth(6), noise(6, 33, 40)])
FACTORS = [0.0, 0.1, 0.55, 0.99, 1.0, 1.37] * 2
ENHANCERS = {"brightness": "Brightness", "contrast": "Contrast", "saturation": "Color", "sharpness": "Sharpness"}


@pytest.mark.parametrize("name", ENHANCERS)
def test_blends_equal_pillows(name: str) -> None:
    found = getattr(colours, name)(IMAGES, torch.tensor(FACTORS, dtype=torch.float64))
    enhancer = getattr(ImageEnhance, ENHANCERS[name])
    expected = [enhancer(one).enhance(factor) for one, factor in zip(pictures(IMAGES), FACTORS, strict=True)]
    assert differences(found, from_pictures(expected)).max() == 0


def test_grey_is_pillows_mode_l() -> None:
    expected = from_pictures([one.convert("L").convert("RGB") for one in pictures(IMAGES)])
    assert torch.equal(colours.grey(IMAGES), expected)
    found, _ = RandomGrey(p=1.0)(IMAGES.clone(), draws(range(12)))
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (tables.autocontrast, ImageOps.autocontrast),
        (tables.equalise, ImageOps.equalize),
        (tables.invert, ImageOps.invert),
    ],
)
def test_tables_equal_pillows(ours: Callable[..., Any], theirs: Callable[..., Any]) -> None:
    assert torch.equal(ours(IMAGES), from_pictures([theirs(one) for one in pictures(IMAGES)]))


def test_tables_of_flat_and_tiny_images() -> None:
    flat = torch.full((1, 3, 4, 5), 99, dtype=torch.uint8)
    few = torch.tensor([[0, 10], [10, 255]], dtype=torch.uint8).expand(1, 3, 2, 2).contiguous()
    for images in (flat, few):
        for ours, theirs in ((tables.autocontrast, ImageOps.autocontrast), (tables.equalise, ImageOps.equalize)):
            assert torch.equal(ours(images), from_pictures([theirs(one) for one in pictures(images)]))


def test_posterise_and_solarise_equal_pillows() -> None:
    bits = [1, 2, 3, 4, 5, 8] * 2
    expected = from_pictures([ImageOps.posterize(one, n) for one, n in zip(pictures(IMAGES), bits, strict=True)])
    assert torch.equal(tables.posterise(IMAGES, torch.tensor(bits)), expected)
    thresholds = [0, 1, 26, 128, 255, 256] * 2
    expected = from_pictures([ImageOps.solarize(one, n) for one, n in zip(pictures(IMAGES), thresholds, strict=True)])
    assert torch.equal(tables.solarise(IMAGES, torch.tensor(thresholds, dtype=torch.float64)), expected)
    added = [0, 1, 55, 110, 128, 99] * 2
    expected = torch.stack(
        [
            torch.where(one < 128, (one.int() + n).clamp(max=255), one.int())
            for one, n in zip(IMAGES, added, strict=True)
        ]
    )
    assert torch.equal(tables.solarise_add(IMAGES, torch.tensor(added)), expected.to(torch.uint8))


def test_hue_turns_as_torchvisions() -> None:
    turns = [-0.5, -0.2, 0.0, 0.1, 0.33, 0.5] * 2
    found = colours.hue(IMAGES, torch.tensor(turns, dtype=torch.float64))
    expected = torch.stack([functional.adjust_hue(one, turn) for one, turn in zip(IMAGES, turns, strict=True)])
    assert differences(found, expected).max() <= 1
    assert torch.equal(found[[2, 8]], IMAGES[[2, 8]])


def test_jitter_is_four_steps_of_pillow_in_its_drawn_order() -> None:
    strengths = {"brightness": 0.4, "contrast": 0.7, "saturation": 1.5, "hue": 0.0}
    found, _ = ColourJitter(**strengths, p=0.8)(IMAGES.clone(), draws(range(12)))
    orders = set()
    for number, (one, lots) in enumerate(zip(pictures(IMAGES), draws(range(12))(9), strict=True)):
        expected: Image.Image = one
        order = np.argsort(lots[1:5]) if lots[0] < 0.8 else []
        orders.add(tuple(int(step) for step in order))
        for step in order:
            name = list(strengths)[step]
            strength = strengths[name]
            if strength:
                factor = between(lots[5 + step], max(0, 1 - strength), 1 + strength)
                expected = getattr(ImageEnhance, ENHANCERS[name])(expected).enhance(float(factor))
        assert differences(found[number], from_pictures([expected])[0]).max() == 0
    assert () in orders
    assert len(orders) > 5


def test_jitter_draws_factors_of_the_asked_range() -> None:
    images = torch.full((2000, 3, 1, 1), 100, dtype=torch.uint8)
    found, _ = ColourJitter(0.5, 0.0, 0.0)(images, draws(range(2000)))
    grey = found[:, 0, 0, 0].float()
    assert 49 <= grey.min() < 52
    assert 147 < grey.max() <= 150
    assert abs(grey.mean() - 99.5) < 2


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "sharpness", "hue"])
def test_the_memory_layout_does_not_matter(name: str) -> None:
    factors, interleaved = torch.tensor(FACTORS), IMAGES.contiguous(memory_format=torch.channels_last)
    assert torch.equal(getattr(colours, name)(interleaved, factors), getattr(colours, name)(IMAGES, factors))
    assert torch.equal(tables.equalise(interleaved), tables.equalise(IMAGES))
