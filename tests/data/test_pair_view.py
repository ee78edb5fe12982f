"""What is left of resized pairs is what resizing the whole and cutting would leave, and nothing else is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tricklab.data import mask_resizing
from tricklab.data.mask_fold import MaskFold
from tricklab.data.mask_list import IGNORE
from tricklab.data.mask_resizing import resize_image, resize_mask
from tricklab.data.pair_transforms.horizontal_flip import HorizontalFlip
from tricklab.data.pair_transforms.random_resize import RandomResize
from tricklab.data.pair_view import PairMove, PairView, change
from tricklab.errors import UserError
from tricklab.ops import image_parts
from tricklab.registry import build
from tricklab.seeds import Seeds

Pair = tuple[np.ndarray, np.ndarray]
LARGEST = {"uint8": 255, "uint16": 65535, "float32": 1}


def pair_of(rng: np.random.Generator, dtype: str) -> Pair:
    height, width, bands = (int(number) for number in rng.integers(1, (40, 40, 6)))
    image = (rng.random((height, width, bands)) * LARGEST[dtype]).astype(dtype)
    return image, rng.integers(0, 9, (height, width)).astype(np.uint8)


def step_of(rng: np.random.Generator, shape: tuple[int, int], resized: bool) -> tuple[Any, Any]:
    """A random change, of a view and of whole arrays: what was done before anything was put off."""
    kind = rng.choice(["resize", "mirror", "turn", "cut"] if not resized else ["mirror", "turn", "cut"])
    if kind == "resize":
        size = int(rng.integers(1, 80)), int(rng.integers(1, 80))
        return (
            lambda view: view.resized(size),
            lambda pair: (resize_image(pair[0], size), resize_mask(pair[1], size)),
        )
    if kind == "mirror":
        axis = int(rng.integers(2))
        return lambda view: view.mirrored(axis), lambda pair: (np.flip(pair[0], axis), np.flip(pair[1], axis))
    if kind == "turn":
        quarters = int(rng.integers(1, 4))
        return lambda view: view.rotated(quarters), lambda pair: (
            np.rot90(pair[0], quarters),
            np.rot90(pair[1], quarters),
        )
    size = [int(rng.integers(1, side + 1)) for side in shape]
    top, left = (int(rng.integers(side - part + 1)) for side, part in zip(shape, size, strict=True))
    down, across = slice(top, top + size[0]), slice(left, left + size[1])
    return lambda view: view.cut(top, left, *size), lambda pair: (pair[0][down, across], pair[1][down, across])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_views_show_what_changing_the_whole_gives(dtype: str) -> None:
    rng = np.random.default_rng(0)
    largest = LARGEST[dtype]
    apart = []
    for _ in range(120):
        pair = pair_of(rng, dtype)
        before = pair[0].copy(), pair[1].copy()
        view, whole, resized = PairView.of(*pair), pair, False
        for _ in range(rng.integers(1, 6)):
            lazy, eager = step_of(rng, view.shape, resized)
            old = whole[1].shape
            view, whole = lazy(view), eager(whole)
            resized |= whole[1].shape not in (old, old[::-1])
            assert view.shape == whole[1].shape
        np.testing.assert_array_equal(view.mask, whole[1])
        assert (view.image.dtype, view.image.shape) == (np.dtype(dtype), whole[0].shape)
        apart.append(np.abs(view.image.astype(np.float64) - whole[0]))
        np.testing.assert_array_equal(pair[0], before[0])
        np.testing.assert_array_equal(pair[1], before[1])
    everything = np.concatenate([found.ravel() for found in apart])
    # torch rounds bytes twice, weights of real numbers to float32
    assert everything.max() <= {"uint8": 1, "uint16": 1, "float32": 1e-5 * largest}[dtype]
    assert everything.mean() <= {"uint8": 0.2, "uint16": 0.01, "float32": 1e-6}[dtype]


def test_two_resizings_are_computed_one_after_the_other() -> None:
    image, mask = pair_of(np.random.default_rng(3), "uint8")
    found = PairView.of(image, mask).resized((50, 60)).mirrored(1).resized((20, 9))
    np.testing.assert_array_equal(found.image, resize_image(resize_image(image, (50, 60))[:, ::-1], (20, 9)))
    np.testing.assert_array_equal(found.mask, resize_mask(resize_mask(mask, (50, 60))[:, ::-1], (20, 9)))


def test_whole_images_are_resized_as_they_always_were() -> None:
    for dtype in LARGEST:
        image, mask = pair_of(np.random.default_rng(4), dtype)
        found = PairView.of(image, mask).resized((31, 57)).mirrored(0)
        np.testing.assert_array_equal(found.image, resize_image(image, (31, 57))[::-1])


# transforms and crops of a data set


RESIZE = {"type": "RandomResize", "ratio_range": [0.5, 2.0]}
CHOICE = {"type": "RandomChoiceResize", "scales": [[40, 30], [15, 10], [64, 48]]}
FLIPS: list[dict[str, Any]] = [{"type": "HorizontalFlip"}, {"type": "VerticalFlip"}, {"type": "Rotate90"}]
LISTS = [
    [RESIZE, *FLIPS],
    [*FLIPS, CHOICE],
    [CHOICE, {"type": "RandomCrop"}, *FLIPS],
    [RESIZE, CHOICE, {"type": "HorizontalFlip"}],
    [{"type": "RandomCrop"}, RESIZE],
]
ITEMS = [(epoch, index, 0) for epoch in range(8) for index in range(4)]


def fold_of(**data: Any) -> MaskFold:
    images = {"type": "SyntheticMasks", "images": 12, "size": [24, 32]}
    said = {"type": "segmentation", "images": images, "crop": [20, 28], "normalise": "none", **data}
    found: MaskFold = build("data", said).prepare(Seeds(0, 0))
    return found


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are what is left of the whole, as they were before anything was put off."""

    def part(image: np.ndarray, size: tuple[int, int], rows: range, columns: range) -> np.ndarray:
        return resize_image(image, size)[list(rows)][:, list(columns)]

    monkeypatch.setattr(image_parts, "resized_part", part)


@pytest.mark.parametrize("sampler", ["Shuffle", "RareClassCrops"])
@pytest.mark.parametrize("augment", LISTS, ids=lambda items: "-".join(item["type"] for item in items))
def test_batches_are_those_of_whole_images(
    augment: list[dict[str, Any]], sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sampler == "RareClassCrops" and any(item["type"] == "RandomCrop" for item in augment):
        pytest.skip("two that say where to cut are refused")
    dataset = fold_of(augment=augment, sampler={"type": sampler}).dataset("train")
    found = dataset.__getitems__(ITEMS)
    at_once(monkeypatch)
    wanted = dataset.__getitems__(ITEMS)
    assert found["target"].equal(wanted["target"])
    assert all(found["drawn"][name].equal(wanted["drawn"][name]) for name in wanted["drawn"])
    apart = (found["image"] - wanted["image"]) * 255
    # torch rounds after columns and again after rows: every sixth byte is one level off
    assert apart.abs().max() <= 1.01
    assert apart.abs().mean() < 0.2


def test_a_crop_is_that_of_the_arrays_changed_by_hand() -> None:
    fold = fold_of(augment=[RESIZE, {"type": "HorizontalFlip"}])
    dataset = fold.dataset("train")
    for item in ITEMS[:12]:
        row = np.array(item)
        image, mask = fold.store.original(int(fold.members["train"][item[1]]))
        ratio = 0.5 + 1.5 * dataset._draw("RandomResize", row)(2)[0]
        size = int(24 * ratio), int(32 * ratio)
        image, mask = resize_image(image, size), resize_mask(mask, size)
        if dataset._draw("HorizontalFlip", row)(1)[0] < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        lacking = [(0, max(0, want - have)) for want, have in zip((20, 28), size, strict=True)]
        image, mask = np.pad(image, [*lacking, (0, 0)]), np.pad(mask, lacking, constant_values=IGNORE)
        spare = np.array(mask.shape) - (20, 28)
        top, left = (dataset._draw("crop", row)(2) * (spare + 1)).astype(int) if spare.any() else (0, 0)
        batch = dataset.__getitems__([item])
        np.testing.assert_array_equal(batch["target"][0], mask[top : top + 20, left : left + 28])
        wanted = image[top : top + 20, left : left + 28].astype(np.float64)
        assert np.abs(batch["image"][0].movedim(0, -1).numpy() * 255 - wanted).max() <= 1.01


@pytest.mark.parametrize("augment", [LISTS[0], [RESIZE, {"type": "RandomCrop"}]], ids=["flips", "RandomCrop"])
@pytest.mark.parametrize("sampler", ["Shuffle", "RareClassCrops"])
def test_only_the_crop_is_computed(
    augment: list[dict[str, Any]], sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sampler == "RareClassCrops" and augment != LISTS[0]:
        pytest.skip("two that say where to cut are refused")
    parts: list[int] = []
    real = image_parts.resized_part

    def counted(image: np.ndarray, size: tuple[int, int], rows: range, columns: range) -> np.ndarray:
        parts.append(len(rows) * len(columns))
        return real(image, size, rows, columns)

    def refused(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        assert image.shape[:2] == size or size[0] * size[1] <= 10 * 12, "a whole image is resized"
        return resize_image(image, size)

    monkeypatch.setattr(image_parts, "resized_part", counted)
    monkeypatch.setattr(mask_resizing, "resize_image", refused)
    fold = fold_of(augment=[{**one, "ratio_range": [1.1, 3.0]} if one is RESIZE else one for one in augment],
                   crop=[10, 12], sampler={"type": sampler})  # fmt: skip
    fold.dataset("train").__getitems__(ITEMS)
    assert len(parts) == len(ITEMS)
    assert max(parts) <= 10 * 12


# transforms of the user's own


class Inverted:
    """A transform that needs pixels, as users write them."""

    stage = "pair"

    def __call__(
        self, image_HWC: np.ndarray, mask_HW: np.ndarray, draw: Callable[[int], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        assert type(image_HWC) is np.ndarray
        assert type(mask_HW) is np.ndarray
        assert image_HWC.shape[:2] == mask_HW.shape
        return 255 - image_HWC, mask_HW, bool(draw(1)[0] < 0.5)


class OtherFlip(HorizontalFlip):
    """A transform of the lab with another ``__call__``."""

    __call__ = Inverted.__call__


class OneRowLess(Inverted):
    def __call__(self, image_HWC: np.ndarray, mask_HW: np.ndarray, draw: Any) -> tuple[np.ndarray, np.ndarray, bool]:
        return image_HWC[1:], mask_HW, True


@pytest.mark.parametrize("own", [Inverted(), OtherFlip()])
def test_transforms_that_need_pixels_get_arrays(own: Any) -> None:
    image, mask = pair_of(np.random.default_rng(5), "uint8")
    view, changed = change(own, PairView.of(image, mask).resized((33, 44)), lambda columns: np.zeros(columns))
    assert changed is True
    np.testing.assert_array_equal(view.image, 255 - resize_image(image, (33, 44)))
    np.testing.assert_array_equal(view.mask, resize_mask(mask, (33, 44)))


def test_a_transform_that_parts_image_and_mask_is_named() -> None:
    image, mask = np.zeros((5, 6, 1), np.uint8), np.zeros((5, 6), np.uint8)
    with pytest.raises(UserError, match="OneRowLess: it gave an image of 4 × 6 pixels and a mask of 5 × 6"):
        change(OneRowLess(), PairView.of(image, mask), lambda columns: np.zeros(columns))


def test_moves_of_ones_own_are_put_off_and_work_on_arrays() -> None:
    class LeftHalf(PairMove):
        def move(self, pair: PairView, draw: Any) -> tuple[PairView, bool]:
            return pair.cut(0, 0, pair.shape[0], pair.shape[1] // 2), True

    image, mask = pair_of(np.random.default_rng(6), "uint8")
    width = mask.shape[1] // 2
    np.testing.assert_array_equal(LeftHalf()(image, mask, lambda columns: np.zeros(columns))[0], image[:, :width])
    larger, _ = RandomResize(ratio_range=(2.0, 3.0)).move(PairView.of(image, mask), lambda columns: np.zeros(columns))
    half, _ = change(LeftHalf(), larger, lambda columns: np.zeros(columns))
    assert np.shares_memory(half.source[0], image)
    assert half.shape == (2 * mask.shape[0], mask.shape[1])
