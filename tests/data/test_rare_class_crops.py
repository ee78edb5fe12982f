"""Rare classes are drawn as often as the formula says, and crops show them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tricklab.data.class_balanced import ClassBalanced
from tricklab.data.draws import item_draw
from tricklab.data.mask_list import IGNORE
from tricklab.data.rare_class_crops import RareClassCrops, RareCorner
from tricklab.errors import UserError
from tricklab.registry import build
from tricklab.seeds import Seeds


def draw_of(index: int) -> Any:
    one = item_draw(Seeds(0, 0), "corner", np.array([0]), np.array([index]), np.array([0]))
    return lambda columns: one(columns)[0]


def pixels() -> np.ndarray:
    """60 images; class 2 is in three of them, class 3 nowhere."""
    rng = np.random.default_rng(0)
    found = np.zeros((60, 4), dtype=np.int64)
    found[:, 0], found[:, 1] = rng.integers(500, 1000, 60), rng.integers(0, 2, 60) * 300
    found[[4, 20, 33], 2] = 10
    return found


def test_chances_are_those_of_the_paper() -> None:
    targets = pixels()
    share = targets.sum(axis=0) / targets.sum()
    wanted = np.exp((1 - share) / 0.5) * (share > 0)
    np.testing.assert_allclose(RareClassCrops(0.5).chances(targets), wanted / wanted.sum(), rtol=1e-12)
    # no overflow where the paper's formula has exp(10000)
    assert RareClassCrops(1e-4).chances(targets).tolist() == [0, 0, 1, 0]


def test_images_are_drawn_class_by_class() -> None:
    targets, sampler = pixels(), RareClassCrops(0.5)
    drawn = np.zeros(60)
    for epoch in range(200):
        index, occurrence = sampler.order(targets, epoch, Seeds(0, 0))
        assert len(index) == 60
        drawn += np.bincount(index, minlength=60)
        seen: dict[int, int] = {}
        for number, before in zip(index.tolist(), occurrence.tolist(), strict=True):
            assert before == seen.get(number, 0)
            seen[number] = before + 1
    has = targets > 0
    wanted = (has / np.maximum(has.sum(axis=0), 1)) @ sampler.chances(targets) * drawn.sum()
    # 59 degrees of freedom: 98.3 at one in a thousand
    assert ((drawn - wanted) ** 2 / wanted).sum() < 98.3


def test_orders_are_stateless_and_change_with_the_epoch() -> None:
    one, two = RareClassCrops(), RareClassCrops()
    two.order(pixels(), 7, Seeds(0, 0))
    np.testing.assert_array_equal(one.order(pixels(), 1, Seeds(0, 0)), two.order(pixels(), 1, Seeds(0, 0)))
    assert not np.array_equal(one.order(pixels(), 1, Seeds(0, 0))[0], one.order(pixels(), 2, Seeds(0, 0))[0])


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (20, 30), (20, 3)])
def test_crops_lie_inside_and_show_the_rare_class(size: tuple[int, int]) -> None:
    corner = RareCorner(np.array([0.0, 0.2, 0.8]))
    for index in range(60):
        rng = np.random.default_rng(index)
        mask = np.zeros((20, 30), dtype=np.uint8)
        mask[rng.integers(20), rng.integers(30)] = 2
        found = corner(mask, size, draw_of(index))
        assert found is not None
        top, left = found
        assert 0 <= top <= 20 - size[0]
        assert 0 <= left <= 30 - size[1]
        assert (mask[top : top + size[0], left : left + size[1]] == 2).any()


def test_a_crop_shows_the_classes_of_the_mask_by_their_chances() -> None:
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[0, 0], mask[7, 7], mask[3] = 1, 2, IGNORE
    corner = RareCorner(np.array([0.0, 0.25, 0.75]))
    shown = [corner(mask, (2, 2), draw_of(index)) for index in range(800)]
    assert set(shown) == {(0, 0), (6, 6)}
    # four standard deviations of a share of one in four
    assert shown.count((0, 0)) / 800 == pytest.approx(0.25, abs=0.062)


def test_masks_without_a_class_leave_the_crop_to_chance() -> None:
    nothing = np.full((8, 8), IGNORE, dtype=np.uint8)
    assert RareCorner(np.array([0.5, 0.5]))(nothing, (2, 2), draw_of(0)) is None


def test_samplers_refuse_each_others_items() -> None:
    with pytest.raises(UserError, match=r"data\.sampler: RareClassCrops is for masks"):
        RareClassCrops().order(np.zeros(5, dtype=np.int64), 0, Seeds(0, 0))
    with pytest.raises(UserError, match=r"data\.sampler: a mask is of many classes"):
        ClassBalanced().order(pixels(), 0, Seeds(0, 0))
    with pytest.raises(UserError, match="temperature"):
        RareClassCrops(0.0)


def test_a_fold_cuts_where_the_sampler_says() -> None:
    data = {
        "type": "segmentation",
        "images": {"type": "SyntheticMasks", "classes": 6, "images": 24, "size": [48, 64]},
        "crop": [12, 12],
    }

    def shown(sampler: str) -> np.ndarray:
        fold = build("data", {**data, "sampler": {"type": sampler}}).prepare(Seeds(0, 0))
        targets = fold.targets["train"].numpy()
        index, occurrence = fold.sampler.order(targets, 0, Seeds(0, 0))
        items = [(0, i, o) for i, o in zip(index.tolist(), occurrence.tolist(), strict=True)]
        batch = fold.dataset("train").__getitems__(items)
        assert batch["image"].shape == (len(index), 3, 12, 12)
        return np.bincount(batch["target"].numpy().ravel(), minlength=256)[:6]

    plain, rare = shown("Shuffle"), shown("RareClassCrops")
    assert rare[5] > 3 * plain[5]
    assert rare[0] < plain[0]


def test_two_that_say_where_to_cut_are_refused_and_one_is_reported() -> None:
    data = {"type": "segmentation", "images": {"type": "SyntheticMasks"}, "crop": [12, 12]}
    rare = {**data, "sampler": {"type": "RareClassCrops"}}
    batch = build("data", rare).prepare(Seeds(0, 0)).dataset("train").__getitems__([0, 1])
    assert batch["drawn"]["RareClassCrops"].tolist() == [True, True]
    assert "RareClassCrops" not in build("data", data).prepare(Seeds(0, 0)).dataset("train").__getitems__([0])["drawn"]
    both = build("data", {**rare, "augment": [{"type": "RandomCrop"}]}).prepare(Seeds(0, 0))
    with pytest.raises(UserError, match="RandomCrop cuts before RareClassCrops could say where"):
        both.dataset("train")
