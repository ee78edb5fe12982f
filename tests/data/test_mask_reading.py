"""Mask files are read by value, images with every band they have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.data.mask_trees import picture, values, write
from tricklab.data.mask_reading import read_bands, read_mask
from tricklab.errors import UserError


def test_a_palette_is_read_by_its_index_never_by_its_colours(tmp_path: Path) -> None:
    # index 0 shown as grey 3 and 1 as grey 253, as the second observer of DRIVE has it
    for suffix in ("png", "gif"):
        path = write(tmp_path / f"m.{suffix}", values(0, 1, 1), palette=[3, 3, 3, 253, 253, 253])
        with Image.open(path) as image:
            assert image.mode == "P"
        np.testing.assert_array_equal(read_mask(path), values(0, 1, 1))


@pytest.mark.parametrize(
    ("kind", "suffix"), [("uint8", "png"), ("uint16", "png"), ("uint8", "tif"), ("uint16", "tif"), ("int32", "tif")]
)
def test_whole_numbers_are_read_as_they_are(tmp_path: Path, kind: str, suffix: str) -> None:
    wanted = values(0, 7, 200 if kind == "uint8" else 40000, dtype=kind)
    path = write(tmp_path / f"m.{suffix}", wanted)
    found = read_mask(path)
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == ("uint8" if kind == "uint8" else "uint16")


def test_black_and_white_files_have_the_values_0_and_1(tmp_path: Path) -> None:
    Image.fromarray(values(0, 255)).convert("1").save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), values(0, 1))


def test_opaque_colours_are_read_and_transparent_ones_refused(tmp_path: Path) -> None:
    solid = np.concatenate([picture(), np.full((6, 8, 1), 255, np.uint8)], axis=2)
    np.testing.assert_array_equal(read_mask(write(tmp_path / "a.png", solid)), picture())
    solid[0, 0, 3] = 254
    with pytest.raises(UserError, match=r"b\.png: the mask has transparent pixels"):
        read_mask(write(tmp_path / "b.png", solid))


def test_what_is_no_mask_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.jpg: JPEG blends the labels"):
        read_mask(write(tmp_path / "a.jpg", picture()))
    (tmp_path / "b.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"b\.png: this is no image"):
        read_mask(tmp_path / "b.png")
    tifffile.imwrite(tmp_path / "c.tif", np.full((4, 5), 0.5, dtype=np.float32))
    with pytest.raises(UserError, match=r"c\.tif: .*no labels"):
        read_mask(tmp_path / "c.tif")
    tifffile.imwrite(tmp_path / "d.tif", values(0, 70000, dtype="int32"))
    with pytest.raises(UserError, match=r"d\.tif: label values from 0 to 70,000"):
        read_mask(tmp_path / "d.tif")
    with pytest.raises(UserError, match=r"e\.png: it cannot be read: No such file"):
        read_mask(tmp_path / "e.png")


def test_every_band_of_8_or_16_bits_is_read(tmp_path: Path) -> None:
    seven = np.random.default_rng(0).integers(0, 65536, (6, 8, 7), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(seven, 2, 0), photometric="minisblack", planarconfig="separate")
    np.testing.assert_array_equal(read_bands(tmp_path / "a.tif", "all"), seven)
    grey = values(0, 40000, dtype="uint16")
    np.testing.assert_array_equal(read_bands(write(tmp_path / "b.png", grey), "all"), grey[..., None])
    np.testing.assert_array_equal(read_bands(write(tmp_path / "c.png", picture()), "all"), picture())
    assert read_bands(tmp_path / "b.png").shape == (6, 8, 3)
    tifffile.imwrite(tmp_path / "d.tif", seven.astype(np.float32), photometric="minisblack", planarconfig="contig")
    with pytest.raises(UserError, match=r"d\.tif: its values are of type float32"):
        read_bands(tmp_path / "d.tif", "all")


def test_drive_masks_of_both_observers(real_data: Callable[[str], Path]) -> None:
    root = real_data("segmentation/drive_retina/test")
    first = read_mask(root / "1st_manual" / "01_manual1.gif")
    second = read_mask(root / "2nd_manual" / "01_manual2.gif")
    assert np.unique(first).tolist() == [0, 255]
    assert np.unique(second).tolist() == [0, 1]
    # the trap: as grey values every pixel of the second is above zero
    with Image.open(root / "2nd_manual" / "01_manual2.gif") as image:
        assert (np.asarray(image.convert("L")) > 0).all()
    assert 0.9 < ((first > 0) == (second > 0)).mean() < 1
