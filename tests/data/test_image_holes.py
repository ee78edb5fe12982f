"""Holes against timm's, torchvision's and torchtoolbox's rules, written out image by image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import RandomErasing as TheirErasing

from tests.data.image_batches import draws, noise
from tricklab.data.image_transforms.cutout import Cutout
from tricklab.data.image_transforms.holes import fitting_holes
from tricklab.data.image_transforms.random_erasing import RandomErasing

COUNT = 600


def box(changed_HW: torch.Tensor) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the changed pixels."""
    rows, columns = changed_HW.any(1).nonzero(), changed_HW.any(0).nonzero()
    return int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1


def test_erased_boxes_follow_timms_loop() -> None:
    height, width = 30, 17
    found, fits = fitting_holes(draws(range(COUNT)), (height, width), (0.02, 1 / 3), (0.3, 1 / 0.3))
    draw = draws(range(COUNT))
    attempts, places = draw(20), draw(2)
    retried = 0
    for n in range(COUNT):
        for attempt in range(10):
            area = (0.02 + (1 / 3 - 0.02) * attempts[n, 2 * attempt]) * height * width
            low, high = math.log(0.3), math.log(1 / 0.3)
            aspect = math.exp(low + (high - low) * attempts[n, 2 * attempt + 1])
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if w < width and h < height:
                top, left = int(places[n, 0] * (height - h + 1)), int(places[n, 1] * (width - w + 1))
                assert found[n].tolist() == [top, left, top + h, left + w]
                retried += attempt > 0
                break
        assert fits[n]
    assert retried > 20


def test_an_image_too_small_for_any_hole_is_left_alone() -> None:
    transform = RandomErasing(p=1.0, area=(0.9, 1.0), ratio=(1.0, 1.0))
    images = torch.zeros(50, 3, 2, 40)
    found, flags = transform(images.clone(), draws(range(50)))
    assert not flags.any()
    assert torch.equal(found, images)


def test_erased_shares_are_torchvisions() -> None:
    torch.manual_seed(0)
    theirs = TheirErasing(p=1.0, scale=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3))
    image = torch.ones(3, 32, 32)
    expected = np.array([(theirs(image) == 0)[0].float().mean().item() for _ in range(COUNT)])
    found, _ = RandomErasing(p=1.0, mode="const")(torch.ones(COUNT, 3, 32, 32), draws(range(COUNT)))
    shares = (found == 0)[:, 0].float().mean((1, 2)).numpy()
    for quantile in (0.1, 0.5, 0.9):
        assert np.quantile(shares, quantile) == pytest.approx(np.quantile(expected, quantile), abs=0.03)


@pytest.mark.parametrize("mode", ["pixel", "rand", "const"])
def test_what_fills_an_erased_hole(mode: Any) -> None:
    plain = torch.full((COUNT, 3, 24, 20), 9.0)
    found, flags = RandomErasing(p=0.4, mode=mode)(plain.clone(), draws(range(COUNT)))
    assert abs(flags.float().mean() - 0.4) < 0.06
    values = []
    for image in found[flags]:
        top, left, bottom, right = box((image != 9).any(0))
        hole = image[:, top:bottom, left:right]
        assert (hole != 9).all()
        if mode == "const":
            assert not hole.any()
        elif mode == "rand":
            assert (hole == hole[:, :1, :1]).all()
            assert len(hole[:, 0, 0].unique()) == 3
            values.append(hole[:, 0, 0])
        else:
            values.append(hole.flatten())
    if mode != "const":
        drawn = torch.cat(values)
        assert abs(drawn.mean().item()) < 0.1
        assert abs(drawn.std().item() - 1) < 0.07


def test_cutout_is_torchtoolboxs_rectangle_of_one_grey() -> None:
    height, width = 26, 20
    images = noise(COUNT, height, width)
    found, flags = Cutout(p=0.5)(images.clone(), draws(range(COUNT)))
    draw = draws(range(COUNT))
    lots, places = draw(4), draw(2)
    greys = set()
    for n in range(COUNT):
        assert bool(flags[n]) == (lots[n, 0] < 0.5)
        if not flags[n]:
            assert torch.equal(found[n], images[n])
            continue
        area, ratio = (0.02 + 0.38 * lots[n, 2]) * height * width, 0.4 + 2.1 * lots[n, 3]
        h, w = min(int(math.sqrt(area * ratio)), height), min(int(math.sqrt(area / ratio)), width)
        top, left = int(places[n, 0] * (height - h + 1)), int(places[n, 1] * (width - w + 1))
        expected = images[n].clone()
        expected[:, top : top + h, left : left + w] = int(lots[n, 1] * 256)
        assert torch.equal(found[n], expected)
        greys.add(int(lots[n, 1] * 256))
    assert len(greys) > 100


def test_squares_of_cutout_hang_over_the_edge() -> None:
    images = noise(COUNT, 24, 24)
    found, _ = Cutout(p=1.0, value=7, square=0.5)(images.clone(), draws(range(COUNT)))
    draw = draws(range(COUNT))
    draw(4)
    centres = np.floor(draw(2) * 24).astype(int)
    sizes = []
    for n, (row, column) in enumerate(centres.tolist()):
        expected = images[n].clone()
        expected[:, max(row - 6, 0) : row + 6, max(column - 6, 0) : column + 6] = 7
        assert torch.equal(found[n], expected)
        sizes.append((min(row + 6, 24) - max(row - 6, 0)) * (min(column + 6, 24) - max(column - 6, 0)))
    assert max(sizes) == 144
    assert min(sizes) < 60


def test_cutout_fills_with_the_images_own_mean() -> None:
    images = noise(20)
    found, _ = Cutout(p=1.0, value="mean")(images.clone(), draws(range(20)))
    for before, after in zip(images, found, strict=True):
        top, left, bottom, right = box((before != after).any(0))
        hole = after[:, top:bottom, left:right].flatten(1)
        assert (hole == hole[:, :1]).all()
        assert hole[:, 0].tolist() == before.double().mean((1, 2)).round().long().tolist()
