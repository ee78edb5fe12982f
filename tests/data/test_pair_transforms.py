"""Image and mask keep together, masks are never interpolated, sizes are OpenMMLab's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tricklab.data.draws import item_draw
from tricklab.data.mask_list import IGNORE
from tricklab.data.mask_resizing import resize_image, resize_mask
from tricklab.data.pair_transforms.resizing import size_for
from tricklab.errors import UserError
from tricklab.registry import build, entries
from tricklab.seeds import Seeds

LABELS = (0, 3, 9, IGNORE)


def draw_of(index: int, epoch: int = 0, name: str = "t") -> Callable[[int], np.ndarray]:
    one = item_draw(Seeds(0, 0), name, np.array([epoch]), np.array([index]), np.array([0]))
    return lambda columns: one(columns)[0]


def fixed(*lots: float) -> Callable[[int], np.ndarray]:
    """Draws that are given, for transforms that draw once."""
    return lambda columns: np.array((*lots, *[0.0] * (columns - len(lots))))


def pair(height: int = 20, width: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A mask of patches and an image whose first band says the mask."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, len(LABELS), (height // 5 + 1, width // 5 + 1))
    mask = np.array(LABELS, dtype=np.uint8)[np.kron(small, np.ones((5, 5), int))[:height, :width]]
    return np.stack([mask, *rng.integers(0, 256, (2, height, width), dtype=np.uint8)], axis=2), mask


def made(name: str, **keys: Any) -> Any:
    crop = keys.pop("crop", (12, 16))
    return build("pair_transform", {"type": name, **keys}, crop=crop)


EVERY = [
    ("RandomResize", {"scale": [40, 30], "ratio_range": [0.5, 2.0]}),
    ("RandomResize", {"scale": [[40, 30], [60, 20]], "keep_ratio": True}),
    ("RandomChoiceResize", {"scales": [[40, 30], [15, 10], [30, 30]]}),
    ("RandomCrop", {}),
    ("HorizontalFlip", {}),
    ("VerticalFlip", {}),
    ("Rotate90", {}),
]


@pytest.mark.parametrize(("name", "keys"), EVERY)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_pairs_keep_their_labels_type_and_input(name: str, keys: dict[str, Any], dtype: str) -> None:
    image, mask = pair()
    image = image.astype(dtype)
    before = image.copy(), mask.copy()
    did = []
    for index in range(30):
        new_image, new_mask, changed = made(name, **keys)(image, mask, draw_of(index))
        assert new_image.shape[:2] == new_mask.shape
        assert (new_image.dtype, new_mask.dtype) == (image.dtype, np.uint8)
        assert set(np.unique(new_mask).tolist()) <= set(LABELS)
        assert changed == (new_mask.shape != mask.shape or not np.array_equal(new_image, image)) or name == "RandomCrop"
        did.append(changed)
    assert any(did)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


@pytest.mark.parametrize(("name", "keys"), [item for item in EVERY if "Resize" not in item[0]])
def test_image_and_mask_get_the_same_geometry(name: str, keys: dict[str, Any]) -> None:
    image, mask = pair()
    for index in range(20):
        new_image, new_mask, _ = made(name, **keys)(image, mask, draw_of(index))
        np.testing.assert_array_equal(new_image[..., 0], new_mask)


@pytest.mark.parametrize(("name", "keys"), EVERY)
def test_draws_depend_on_epoch_and_item_alone(name: str, keys: dict[str, Any]) -> None:
    image, mask = pair(24, 40)
    one, two = made(name, **keys), made(name, **keys)
    two(image, mask, draw_of(5))
    first, again = one(image, mask, draw_of(3, 1)), two(image, mask, draw_of(3, 1))
    np.testing.assert_array_equal(first[0], again[0])
    seen = {one(image, mask, draw_of(3, epoch))[0].tobytes() for epoch in range(20)}
    assert len(seen) > 1


# resizing as OpenMMLab


@pytest.mark.parametrize(
    ("scale", "wanted"),
    [((1400, 1100), (933, 1400)), ((1333, 1200), (889, 1333)), ((1333, 800), (800, 1200)), ((2000, 800), (800, 1200))],
)
def test_keep_ratio_takes_both_sides_as_upper_bounds_in_any_order(
    scale: tuple[int, int], wanted: tuple[int, int]
) -> None:
    # of an image 1500 wide and 1000 high, measured in MMCV
    assert size_for((1000, 1500), scale, keep_ratio=True) == wanted
    assert size_for((1000, 1500), scale[::-1], keep_ratio=True) == wanted
    assert size_for((1500, 1000), scale, keep_ratio=True) == wanted[::-1]
    # nothing raises a side that is below its bound: there is no lower limit
    assert size_for((1000, 1500), (1333, 10), keep_ratio=True) == (10, 15)


def test_without_keep_ratio_the_scale_is_width_then_height() -> None:
    assert size_for((1000, 1500), (1400, 1100), keep_ratio=False) == (1100, 1400)
    image, mask = pair()
    assert made("RandomChoiceResize", scales=[[8, 4], [4, 8]])(image, mask, fixed(0.0))[1].shape == (4, 8)
    assert made("RandomChoiceResize", scales=[[8, 4], [4, 8]])(image, mask, fixed(0.99))[1].shape == (8, 4)


def test_one_scale_draws_one_ratio_for_both_sides_cut_to_whole_pixels() -> None:
    resize = made("RandomResize", scale=[2048, 1024], ratio_range=[0.5, 2.0])
    for index in range(50):
        lots = draw_of(index)(2)
        ratio = 0.5 + 1.5 * lots[0]
        assert resize.draw_scale(draw_of(index), (9, 9)) == (int(2048 * ratio), int(1024 * ratio))
        # without a scale it is the image's own
        own = made("RandomResize", ratio_range=[0.5, 2.0])
        assert own(*pair(20, 30), draw_of(index))[1].shape == (int(20 * ratio), int(30 * ratio))


def test_two_scales_draw_long_and_short_independently_ends_included() -> None:
    resize = made("RandomResize", scale=[[13, 8], [6, 15]])
    drawn = [resize.draw_scale(draw_of(index), (9, 9)) for index in range(600)]
    assert {long for long, _ in drawn} == {13, 14, 15}
    assert {short for _, short in drawn} == {6, 7, 8}
    assert len(set(drawn)) == 9
    table = np.zeros((3, 3))
    for long, short in drawn:
        table[long - 13, short - 6] += 1
    # chi-squared of nine equal chances: 8 degrees of freedom, 26.1 at one in a thousand
    assert ((table - 600 / 9) ** 2 / (600 / 9)).sum() < 26.1


def test_keep_ratio_is_independent_of_how_scales_are_drawn() -> None:
    image, mask = pair(100, 150)
    for keys in ({"scale": [140, 110], "ratio_range": [0.5, 1.5]}, {"scale": [[140, 110], [90, 50]]}):
        for index in range(20):
            shape = made("RandomResize", keep_ratio=True, **keys)(image, mask, draw_of(index))[1].shape
            assert shape[1] / shape[0] == pytest.approx(1.5, rel=0.02)
    # any number of scales, where the wide-spread advice says at most two
    scales = [[90, 60], [60, 40], [30, 20], [120, 80]]
    choice = made("RandomChoiceResize", scales=scales, keep_ratio=True)
    assert {choice(image, mask, draw_of(index))[1].shape for index in range(60)} == {tuple(s[::-1]) for s in scales}


def test_masks_stay_aligned_with_their_flips_and_their_images() -> None:
    # the pixel under each new pixel's centre: flipping before and after is one thing where no centre lies on an edge
    mask = np.random.default_rng(0).integers(0, 9, (24, 36)).astype(np.uint8)
    for size in ((8, 12), (72, 108), (40, 36)):
        np.testing.assert_array_equal(resize_mask(mask[:, ::-1], size), resize_mask(mask, size)[:, ::-1])
    # a vertical edge in image and mask stays at one place
    image, truth = np.zeros((6, 40, 1), np.float32), np.zeros((6, 40), np.uint8)
    image[:, 17:], truth[:, 17:] = 1, 1
    for width in (13, 20, 80, 97):
        scales = [[width, 6], [7, 7]]
        new_image, new_mask, _ = made("RandomChoiceResize", scales=scales)(image, truth, fixed(0.0))
        assert abs(new_image.sum() / 6 - new_mask.sum() / 6) <= 0.5


@pytest.mark.parametrize(
    ("name", "keys", "said"),
    [
        ("RandomResize", {}, r"RandomResize\.ratio_range: it needs ratio_range or two scales"),
        ("RandomResize", {"scale": [4, 4]}, r"RandomResize\.ratio_range: it needs ratio_range or two scales"),
        ("RandomResize", {"scale": [[4, 4], [5, 5]], "ratio_range": [0.5, 2.0]}, "two scales have no ratio_range"),
        ("RandomResize", {"scale": [0, 4], "ratio_range": [0.5, 2.0]}, "a size has pixels"),
        ("RandomResize", {"scale": [9, 4], "ratio_range": [1.0, 1.0]}, "the size would always be the same"),
        ("RandomResize", {"scale": [[4, 4], [4, 4]]}, "the size would always be the same"),
        ("RandomResize", {"scale": [9, 4], "ratio_range": [2.0, 0.5]}, "a range must rise"),
        ("RandomChoiceResize", {"scales": [[4, 4]]}, "there is nothing to choose from"),
        ("RandomCrop", {"cat_max_ratio": 1.0}, r"RandomCrop\.cat_max_ratio: a share lies above 0 and below 1"),
        ("RandomCrop", {"crop": None}, r"data\.crop: RandomCrop needs the size"),
        ("Rotate90", {"p": 0.0}, r"Rotate90\.p"),
    ],
)
def test_what_cannot_be_is_refused(name: str, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        made(name, **keys)


# crops


def test_crops_have_no_class_above_its_share() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 30:], mask[:8, :8] = 1, IGNORE
    image = mask[..., None].repeat(3, axis=2)
    crop = made("RandomCrop", cat_max_ratio=0.75, crop=(10, 10))
    plain, chosen = [], []
    for index in range(200):
        _, part, changed = crop(image, mask, draw_of(index))
        assert changed
        assert part.shape == (10, 10)
        chosen.append(crop.fits(part))
        top, left = (draw_of(index)(20)[:2] * 31).astype(int)
        plain.append(crop.fits(mask[top : top + 10, left : left + 10]))
    # one place in six will do, so ten attempts find one five times in six
    assert np.mean(plain) < 0.3
    assert np.mean(chosen) > 0.7


def test_crops_against_the_definition_of_too_much() -> None:
    crop = made("RandomCrop", cat_max_ratio=0.75, crop=(2, 4))
    cases = {
        (0, 0, 0, 0, 0, 0, 1, 1): False,  # three quarters are not below three quarters
        (0, 0, 0, 0, 0, 1, 1, 1): True,
        (0, 0, 0, 0, 0, 0, 0, 0): False,
        (255, 255, 255, 255, 255, 255, 0, 1): True,  # pixels without a label do not count
        (255, 255, 255, 255, 255, 255, 255, 1): False,
        (255,) * 8: False,
    }
    for values, wanted in cases.items():
        assert crop.fits(np.array(values, np.uint8).reshape(2, 4)) is wanted


def test_crops_leave_images_that_are_too_small_along_a_side() -> None:
    image, mask = pair(8, 40)
    _, part, changed = made("RandomCrop", crop=(16, 16))(image, mask, draw_of(0))
    assert (part.shape, changed) == ((8, 16), True)
    _, part, changed = made("RandomCrop", crop=(16, 64))(image, mask, draw_of(0))
    assert (part.shape, changed) == ((8, 40), False)


def test_quarter_turns_are_even() -> None:
    image = np.arange(4, dtype=np.uint8).reshape(2, 2, 1)
    seen: dict[bytes, int] = {}
    for index in range(800):
        found = made("Rotate90")(image, image[..., 0], draw_of(index))[1].tobytes()
        seen[found] = seen.get(found, 0) + 1
    # three degrees of freedom: 16.3 at one in a thousand
    assert len(seen) == 4
    assert sum((count - 200) ** 2 / 200 for count in seen.values()) < 16.3


def test_every_transform_has_a_summary_and_a_source() -> None:
    found = entries("pair_transform")
    assert len(found) >= 6
    assert all(entry.summary and entry.source for entry in found)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("size", [(7, 9), (40, 61), (20, 1), (1, 30), (1, 1), (23, 30)])
def test_bytes_are_resized_as_real_numbers_are(bands: int, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, bands), dtype=np.uint8)
    for given in (image, image[:, ::-1], image[3:9, 2:20], image[:, :1].copy()):
        before = given.copy()
        given.flags.writeable = False
        found, exact = resize_image(given, size), resize_image(given.astype(np.float32), size)
        assert (found.dtype, found.shape) == (np.uint8, (*size, bands))
        np.testing.assert_allclose(found, exact, atol=1.01)
        np.testing.assert_array_equal(given, before)
