"""Parts of resized images against weights written out as matrices, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from tricklab.ops.image_parts import resized_part


def weights(have: int, want: int) -> np.ndarray:
    """float64 (want, have): a triangle around each new centre, as wide as two pixels of the coarser of both."""
    centres = have / want * (np.arange(want) + 0.5)
    triangle = 1 - np.abs(np.arange(have) + 0.5 - centres[:, None]) / max(have / want, 1)
    found = np.maximum(triangle, 0)
    return found / found.sum(axis=1, keepdims=True)


def exact(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The whole image, not rounded."""
    down, across = weights(image.shape[0], size[0]), weights(image.shape[1], size[1])
    return np.einsum("yh,hwc,xw->yxc", down, image.astype(np.float64), across, optimize=True)


def places(rng: np.random.Generator, length: int) -> range:
    """Some neighbours, from either end."""
    start, stop = sorted(rng.choice(length + 1, 2, replace=False).tolist())
    return range(start, stop) if rng.random() < 0.5 else range(start, stop)[::-1]


def test_the_reference_is_torchs_antialiased_interpolation() -> None:
    image = np.random.default_rng(0).random((20, 31, 3))
    values = torch.from_numpy(image).permute(2, 0, 1)[None]
    for size in ((7, 50), (45, 9), (20, 31), (1, 1)):
        wanted = functional.interpolate(values, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
        np.testing.assert_allclose(exact(image, size), wanted, atol=1e-12)


@pytest.mark.parametrize(("dtype", "largest", "apart"), [("uint8", 255, 0.501), ("uint16", 65535, 0.53)])
@pytest.mark.parametrize("bands", [1, 2, 3, 4, 16, 17, 35])
def test_whole_numbers_are_half_a_level_from_the_reference(dtype: str, largest: int, apart: float, bands: int) -> None:
    rng = np.random.default_rng(bands)
    for _ in range(30):
        height, width, *size = rng.integers(1, 70, 4).tolist()
        image = rng.integers(0, largest + 1, (height, width, bands)).astype(dtype)
        rows, columns = places(rng, size[0]), places(rng, size[1])
        found = resized_part(image, (size[0], size[1]), rows, columns)
        wanted = exact(image, (size[0], size[1]))[list(rows)][:, list(columns)]
        assert (found.dtype, found.shape) == (image.dtype, wanted.shape)
        assert found.flags.c_contiguous
        assert np.abs(found - wanted).max() <= apart


@pytest.mark.parametrize("bands", [1, 3, 20])
def test_real_numbers_are_as_exact_as_float32(bands: int) -> None:
    rng = np.random.default_rng(bands)
    for _ in range(30):
        height, width, *size = rng.integers(1, 70, 4).tolist()
        image = rng.normal(size=(height, width, bands)).astype(np.float32)
        rows, columns = places(rng, size[0]), places(rng, size[1])
        found = resized_part(image, (size[0], size[1]), rows, columns)
        wanted = exact(image, (size[0], size[1]))[list(rows)][:, list(columns)]
        np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_extremes_stay_extremes() -> None:
    for dtype in (np.uint8, np.uint16):
        white = np.full((13, 17, 3), np.iinfo(dtype).max, dtype=dtype)
        for size in ((5, 40), (29, 6), (130, 170)):
            found = resized_part(white, size, range(1, size[0]), range(size[1]))
            assert (found == white[0, 0]).all()


def test_parts_of_a_large_image_are_parts_of_the_whole() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for size in ((170, 230), (550, 777)):
        whole = resized_part(image, size, range(size[0]), range(size[1]))
        rows, columns = range(50, 150), range(200, 99, -1)
        found = resized_part(image, size, rows, columns)
        np.testing.assert_array_equal(found, whole[50:150, 200:99:-1])


def test_any_memory_layout_is_read_and_nothing_is_written() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    image.flags.writeable = False
    before = image.copy()
    for given in (
        image[::-1],
        image[:, ::-1],
        np.rot90(image),
        image.swapaxes(0, 1),
        image[3:20, 5:],
        image[..., ::-1],
    ):
        found = resized_part(given, (25, 50), range(5, 20), range(10, 45))
        wanted = resized_part(given.copy(order="C"), (25, 50), range(5, 20), range(10, 45))
        # what lies halfway between two levels may go either way when sums are taken from the other end
        assert np.abs(found.astype(int) - wanted).max() <= 1
        assert (found != wanted).mean() < 0.005
    np.testing.assert_array_equal(image, before)
