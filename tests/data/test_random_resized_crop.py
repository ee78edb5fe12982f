"""Random parts of originals against torchvision's loop, its fallback and its distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from tests.data.image_batches import draws
from tricklab.data.image_transforms.random_resized_crop import RandomResizedCrop

SIZES = np.array([[48, 60], [200, 31], [9, 400], [7, 7], [333, 333], [1, 1]] * 60)


def test_boxes_follow_torchvisions_loop() -> None:
    scale, ratio = (0.08, 1.0), (3 / 4, 4 / 3)
    found = RandomResizedCrop(scale, ratio).boxes(SIZES, draws(range(len(SIZES))))
    fallbacks = 0
    for lots, (rows, columns), box in zip(draws(range(len(SIZES)))(22), SIZES.tolist(), found, strict=True):
        for attempt in range(10):
            area = rows * columns * (scale[0] + (scale[1] - scale[0]) * lots[attempt])
            low, high = math.log(ratio[0]), math.log(ratio[1])
            aspect = math.exp(low + (high - low) * lots[10 + attempt])
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= columns and 0 < h <= rows:
                expected = [int(lots[20] * (rows - h + 1)), int(lots[21] * (columns - w + 1)), h, w]
                break
        else:
            fallbacks += 1
            w, h = columns, rows
            if columns / rows < ratio[0]:
                h = round(w / ratio[0])
            elif columns / rows > ratio[1]:
                w = round(h * ratio[1])
            expected = [(rows - h) // 2, (columns - w) // 2, h, w]
        assert box.tolist() == expected
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[0] + box[2] <= rows
        assert box[1] + box[3] <= columns
    assert 60 <= fallbacks < 200


def test_the_middle_is_taken_as_torchvision_does() -> None:
    for rows, columns in ((500, 20), (20, 500), (64, 64)):
        theirs = v2.RandomResizedCrop(8, scale=(1.5, 1.6)).make_params([torch.zeros(3, rows, columns)])
        transform = RandomResizedCrop()
        transform.scale = (1.5, 1.6)
        found = transform.boxes(np.array([[rows, columns]]), draws([0]))[0].tolist()
        assert found == [theirs["top"], theirs["left"], theirs["height"], theirs["width"]]


def test_areas_and_aspects_are_distributed_as_torchvisions() -> None:
    torch.manual_seed(0)
    transform = v2.RandomResizedCrop(8)
    image = torch.zeros(3, 100, 140)
    theirs = np.array(
        [[p["top"], p["left"], p["height"], p["width"]] for p in (transform.make_params([image]) for _ in range(1500))]
    )
    ours = RandomResizedCrop().boxes(np.tile([[100, 140]], (1500, 1)), draws(range(1500)))
    for column in range(4):
        for quantile in (0.1, 0.5, 0.9):
            assert np.quantile(ours[:, column], quantile) == pytest.approx(
                np.quantile(theirs[:, column], quantile), abs=5
            )


def test_a_box_depends_on_its_item_alone() -> None:
    transform = RandomResizedCrop()
    whole = transform.boxes(SIZES, draws(range(len(SIZES))))
    assert np.array_equal(transform.boxes(SIZES[[5, 40]], draws([5, 40])), whole[[5, 40]])
    assert not np.array_equal(transform.boxes(SIZES, draws(range(len(SIZES)), epoch=1)), whole)
