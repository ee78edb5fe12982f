"""Layouts find the pairs, the sides, the groups and the classes, and name what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.mask_trees import SIZE, pair, picture, values, write
from tricklab.data.mask_labels import labels_of
from tricklab.data.mask_list import MaskList
from tricklab.errors import UserError
from tricklab.registry import build, entries


def read(root: Path, layout: str, **keys: Any) -> MaskList:
    return build("mask_layout", {"type": layout, **keys}, root=str(root)).read()


def labelled(images: MaskList, number: int = 0) -> list[int]:
    """The class numbers that occur in a mask."""
    labels = labels_of(images, None, ())
    found = labels.numbers(images.read_mask(number), images.mask_name(number))
    return np.unique(found).tolist()


# folders


def test_folders_pair_files_by_name_whatever_the_suffix(tmp_path: Path) -> None:
    write(tmp_path / "images" / "b10.jpg", picture())
    write(tmp_path / "images" / "deep" / "b9.png", picture())
    write(tmp_path / "masks" / "b10.png", values(0, 3))
    write(tmp_path / "masks" / "deep" / "b9.tif", values(1, 3))
    found = read(tmp_path, "MaskFolders")
    assert found.keys == ("images/b10.jpg", "images/deep/b9.png")
    assert (found.classes, found.values, found.given, found.groups) == (None, None, None, None)
    np.testing.assert_array_equal(found.read_mask(1), values(1, 3))
    assert labels_of(found, None, [3]).classes == ("0", "1")
    assert found.read_image(0).shape == (*SIZE, 3)


@pytest.mark.parametrize("form", ["{split}/images/{name}", "images/{split}/{name}"])
def test_folders_of_splits_are_the_given_sides(tmp_path: Path, form: str) -> None:
    for number, split in enumerate(("train", "val", "test")):
        image = form.format(split=split, name=f"{number}.png")
        pair(tmp_path, image, image.replace("images", "masks"), 0, 1)
    found = read(tmp_path, "MaskFolders")
    assert dict(zip(found.keys, found.given or (), strict=True)) == {
        form.format(split=split, name=f"{number}.png"): split for number, split in enumerate(("train", "val", "test"))
    }


def test_folders_suffixes_and_groups(tmp_path: Path) -> None:
    for name in ("a_1", "a_2", "b_1"):
        pair(tmp_path, f"rgb/{name}_im.png", f"label/{name}_mask.png", 0, 1)
    keys = {"images": "rgb", "masks": "label", "image_suffix": "_im", "mask_suffix": "_mask"}
    found = read(tmp_path, "MaskFolders", **keys, group="prefix")
    assert found.groups is not None
    assert [found.groups[0] == group for group in found.groups] == [True, True, False]
    by_folder = read(tmp_path, "MaskFolders", **keys, group="folder").groups
    assert by_folder is not None
    assert len(set(by_folder)) == 1
    with pytest.raises(UserError, match=r"data\.images\.mask_suffix: .* does not end in '_x'"):
        read(tmp_path, "MaskFolders", **{**keys, "mask_suffix": "_x"})


def test_folders_with_colours_declared_or_found(tmp_path: Path) -> None:
    colours = np.array([[0, 0, 0], [9, 9, 200], [9, 200, 9]], dtype=np.uint8)
    for name, wanted in (("a", (0, 1)), ("b", (0, 2))):
        write(tmp_path / "images" / f"{name}.png", picture())
        write(tmp_path / "masks" / f"{name}.png", colours[values(*wanted)])
    found = read(tmp_path, "MaskFolders")
    assert found.classes == ("#000000", "#0909c8", "#09c809")
    assert found.facts == {"colours": list(found.classes), "ignored_colours": []}
    np.testing.assert_array_equal(found.read_mask(1), values(0, 2))
    told = read(tmp_path, "MaskFolders", colours={"tree": [9, 200, 9], "sea": [9, 9, 200]}, ignore_colours=[[0, 0, 0]])
    assert (told.classes, told.values) == (("tree", "sea"), (0, 1))
    np.testing.assert_array_equal(told.read_mask(1), values(-1, 0))
    assert labelled(told) == [1, 255]
    lacking = read(tmp_path, "MaskFolders", colours={"tree": [9, 200, 9], "ground": [0, 0, 0]})
    with pytest.raises(UserError, match=r"masks/a\.png: 1 colour is of no class: #0909c8 \(24 pixels\)"):
        lacking.read_mask(0)


def test_folders_of_images_with_many_bands(tmp_path: Path) -> None:
    import tifffile

    bands = np.random.default_rng(0).integers(0, 4096, (*SIZE, 5), dtype=np.uint16)
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.tif", np.moveaxis(bands, 2, 0), photometric="minisblack")
    write(tmp_path / "masks" / "a.png", values(0, 1))
    np.testing.assert_array_equal(read(tmp_path, "MaskFolders", bands="all").read_image(0), bands)


def test_folders_without_partners_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder images with a folder masks; there is none at all"):
        read(tmp_path, "MaskFolders")
    pair(tmp_path, "images/a.png", "masks/a.png", 0, 1)
    write(tmp_path / "images" / "b.png", picture())
    with pytest.raises(UserError, match=r"no mask of 1 of 2 files: .*b\.png"):
        read(tmp_path, "MaskFolders")
    write(tmp_path / "masks" / "b.png", values(0))
    write(tmp_path / "masks" / "c.png", values(0))
    with pytest.raises(UserError, match=r"no image of 1 of 3 files: .*c\.png"):
        read(tmp_path, "MaskFolders")
    write(tmp_path / "images" / "c.png", picture())
    write(tmp_path / "images" / "c.jpg", picture())
    with pytest.raises(UserError, match=r"c\.(jpg|png) and c\.(jpg|png) have one name"):
        read(tmp_path, "MaskFolders")


def test_values_are_refused_where_colours_are_declared_and_the_other_way_about(tmp_path: Path) -> None:
    pair(tmp_path, "images/a.png", "masks/a.png", 0, 1)
    with pytest.raises(UserError, match=r"a\.png: the mask holds label values, not colours"):
        read(tmp_path, "MaskFolders", colours={"x": [0, 0, 0]}).read_mask(0)
    with pytest.raises(UserError, match=r"write data\.ignore"):
        read(tmp_path, "MaskFolders", ignore_colours=[[0, 0, 0]])
    pair(tmp_path, "images/b.png", "masks/b.png", 0, 1)
    write(tmp_path / "masks" / "b.png", picture())
    with pytest.raises(UserError, match=r"b\.png: the mask is in colours"):
        read(tmp_path, "MaskFolders").read_mask(1)


# lists


def test_lists_with_two_files_a_line(tmp_path: Path) -> None:
    for name in ("v_1", "v_2", "w_1"):
        pair(tmp_path, f"x/{name}.png", f"y/{name}.png", 0, 1)
    (tmp_path / "train.txt").write_text("/old/x/v_1.png /old/y/v_1.png\n\n/old/x/v_2.png /old/y/v_2.png\n")
    (tmp_path / "val.txt").write_text("/old/x/w_1.png /old/y/w_1.png")
    found = read(tmp_path, "ListFiles", strip="/old/", group="_")
    assert (found.keys, found.given) == (("x/v_1.png", "x/v_2.png", "x/w_1.png"), ("train", "train", "val"))
    assert found.groups == ("v", "v", "w")
    np.testing.assert_array_equal(found.read_mask(2), values(0, 1))
    with pytest.raises(
        UserError, match=r"train\.txt:1, data\.images\.strip: /old/x/v_1\.png does not begin with '/new/'"
    ):
        read(tmp_path, "ListFiles", strip="/new/")
    with pytest.raises(UserError, match=r"train\.txt: 4 files are not there: .*old/x/v_1\.png"):
        read(tmp_path, "ListFiles")


def test_lists_with_one_name_a_line(tmp_path: Path) -> None:
    pair(tmp_path, "im/one.png", "lab/one.png", 0, 1)
    (tmp_path / "train.txt").write_text("one\n")
    found = read(tmp_path, "ListFiles", val=None, image="im/{name}.png", mask="lab/{name}.png")
    assert found.keys == ("im/one.png",)
    with pytest.raises(UserError, match=r"train\.txt:1: 1 name in a line, an image and its mask"):
        read(tmp_path, "ListFiles", val=None)
    with pytest.raises(UserError, match=r"data\.images\.mask: 'lab' lacks \{name\}"):
        read(tmp_path, "ListFiles", image="im/{name}.png", mask="lab")
    (tmp_path / "val.txt").write_text("one\n")
    with pytest.raises(UserError, match="is listed twice"):
        read(tmp_path, "ListFiles", image="im/{name}.png", mask="lab/{name}.png")


# known data sets


def test_cityscapes_label_ids_and_train_ids_give_the_same_masks(tmp_path: Path) -> None:
    for split, city in (("train", "aachen"), ("val", "ulm"), ("test", "bonn")):
        stem = f"{city}_000000_000019"
        write(tmp_path / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png", picture())
        write(tmp_path / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png", values(0, 7, 33, 14))
        write(tmp_path / "gtFine" / split / city / f"{stem}_gtFine_labelTrainIds.png", values(255, 0, 18, 255))
    ids, train_ids = read(tmp_path, "CityscapesMasks"), read(tmp_path, "CityscapesMasks", labels="labelTrainIds")
    assert (ids.given, ids.groups) == (("train", "val"), ("aachen", "ulm"))
    assert ids.classes is not None
    assert (len(ids.classes), ids.classes[0], ids.classes[18]) == (19, "road", "bicycle")
    for images in (ids, train_ids):
        labels = labels_of(images, None, ())
        np.testing.assert_array_equal(labels.numbers(images.read_mask(0), ""), values(255, 0, 18, 255))
    # ids beyond the 34 are an error, not void
    write(tmp_path / "gtFine" / "val" / "ulm" / "ulm_000000_000019_gtFine_labelIds.png", values(7, 40))
    with pytest.raises(UserError, match=r"gtFine_labelIds\.png: label value without a class: 40 \(24 pixels\)"):
        labelled(ids, 1)


def test_voc_masks_are_palettes_with_a_void_index(tmp_path: Path) -> None:
    write(tmp_path / "JPEGImages" / "a.jpg", picture())
    write(tmp_path / "SegmentationClass" / "a.png", values(0, 15, 255), palette=list(range(256)) * 3)
    for name, lines in (("train", "a\n"), ("val", "")):
        file = tmp_path / "ImageSets" / "Segmentation" / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(lines)
    found = read(tmp_path, "VocMasks")
    assert found.classes is not None
    assert found.classes[15] == "person"
    assert labelled(found) == [0, 15, 255]
    with pytest.raises(UserError, match=r"data\.images\.train: there is no list .*trainaug\.txt"):
        read(tmp_path, "VocMasks", train="trainaug")


def test_ade_zero_has_no_class(tmp_path: Path) -> None:
    for folder, name in (("training", "t"), ("validation", "v")):
        pair(tmp_path, f"images/{folder}/{name}.png", f"annotations/{folder}/{name}.png", 0, 1, 3)
    with pytest.raises(UserError, match=r"objectInfo150\.txt is missing"):
        read(tmp_path, "AdeMasks")
    rows = [
        "Idx\tRatio\tTrain\tVal\tName",
        "1\t0.2\t5\t6\twall",
        "2\t0.1\t5\t6\tscreen, door",
        "3\t0.1\t5\t6\tscreen, CRT",
    ]
    (tmp_path / "objectInfo150.txt").write_text("\n".join(rows))
    found = read(tmp_path, "AdeMasks")
    assert found.classes == ("wall", "screen, door", "screen, CRT")
    assert labelled(found) == [0, 2, 255]
    assert found.given == ("train", "val")


def panoptic(root: Path, name: str, segments: dict[int, int]) -> None:
    codes = values(0, *segments, dtype="int64")
    colours = np.stack([codes % 256, codes // 256 % 256, codes // 65536], axis=2).astype(np.uint8)
    write(root / "annotations" / f"panoptic_{name}2017" / "1.png", colours)
    write(root / f"{name}2017" / "1.jpg", picture())
    said = {
        "images": [{"id": 1, "file_name": "1.jpg"}],
        "annotations": [
            {
                "image_id": 1,
                "file_name": "1.png",
                "segments_info": [{"id": one, "category_id": kind} for one, kind in segments.items()],
            }
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 200, "name": "rug"}],
    }
    (root / "annotations" / f"panoptic_{name}2017.json").write_text(json.dumps(said))


def test_coco_panoptic_segments_become_their_categories(tmp_path: Path) -> None:
    panoptic(tmp_path, "train", {70000: 200, 300: 1, 5: 1})
    panoptic(tmp_path, "val", {9: 200})
    found = read(tmp_path, "CocoPanoptic")
    assert (found.classes, found.values, found.given) == (("person", "rug"), (1, 200), ("train", "val"))
    np.testing.assert_array_equal(found.read_mask(0), values(-1, 200, 1, 1))
    assert labelled(found) == [0, 1, 255]
    codes = values(0, 77, dtype="int64")
    strange = np.stack([codes, codes * 0, codes * 0], axis=2).astype(np.uint8)
    write(tmp_path / "annotations" / "panoptic_val2017" / "1.png", strange)
    with pytest.raises(UserError, match=r"1\.png: the JSON file does not know the segment 77 \(24 pixels\)"):
        found.read_mask(1)
    (tmp_path / "annotations" / "panoptic_val2017.json").write_text("{}")
    with pytest.raises(UserError, match="no panoptic JSON file"):
        read(tmp_path, "CocoPanoptic")


def drive(root: Path) -> None:
    for folder, name in (("training", "21_training"), ("test", "01_test")):
        number = name.split("_")[0]
        write(root / folder / "images" / f"{name}.tif", picture())
        write(root / folder / "1st_manual" / f"{number}_manual1.gif", values(0, 255, 255))
        write(root / folder / "mask" / f"{name}_mask.gif", values(255, 255, 0))
    write(root / "test" / "2nd_manual" / "01_manual2.gif", values(1, 0, 0), palette=[3, 3, 3, 253, 253, 253])


def test_drive_outside_the_field_of_view_is_unlabelled(tmp_path: Path) -> None:
    drive(tmp_path)
    found = read(tmp_path, "DriveMasks")
    np.testing.assert_array_equal(found.read_mask(0), values(0, 1, -1))
    assert (found.classes, found.given) == (("background", "vessel"), ("train", "test"))
    np.testing.assert_array_equal(read(tmp_path, "DriveMasks", outside="background").read_mask(0), values(0, 1, 1))
    np.testing.assert_array_equal(read(tmp_path, "DriveMasks", observer=2).read_mask(1), values(1, 0, -1))
    write(tmp_path / "training" / "1st_manual" / "21_manual1.gif", values(0, 254))
    with pytest.raises(UserError, match=r"21_manual1\.gif: 24 pixels are neither 0 nor 255, the first of them 254"):
        found.read_mask(0)
    (tmp_path / "test" / "mask" / "01_test_mask.gif").unlink()
    with pytest.raises(UserError, match=r"01_test_mask\.gif is not there.*outside: background"):
        read(tmp_path, "DriveMasks")


def test_camvid_masks_and_videos(tmp_path: Path) -> None:
    for split, name in (("train", "0001TP_1"), ("val", "0016E5_1")):
        pair(tmp_path, f"{split}/{name}.png", f"{split}annot/{name}.png", 0, 10, 11)
    found = read(tmp_path, "CamVidMasks")
    assert (found.given, found.groups) == (("train", "val"), ("0001TP", "0016E5"))
    assert labelled(found) == [0, 10, 255]
    write(tmp_path / "valannot" / "0016E5_1.png", values(0, 12))
    with pytest.raises(UserError, match=r"0016E5_1\.png: label value without a class: 12 \(24 pixels\)"):
        labelled(found, 1)


# the real files


def counts(images: MaskList, chosen: str) -> dict[int, int]:
    assert images.given is not None
    numbers = [number for number, side in enumerate(images.given) if side == chosen]
    found = np.concatenate([images.read_mask(number).ravel() for number in numbers])
    return dict(zip(*(part.tolist() for part in np.unique(found, return_counts=True)), strict=True))


def test_real_camvid(real_data: Callable[[str], Path]) -> None:
    root = real_data("segmentation/camvid")
    found = read(root, "CamVidMasks")
    assert found.given is not None
    assert [found.given.count(side) for side in ("train", "val", "test")] == [92, 26, 39]
    assert sorted(set(found.groups or ())) == ["0001TP", "0006R0", "0016E5", "Seq05VD"]
    assert sum(counts(found, "train").values()) == 92 * 360 * 480
    assert sorted(counts(found, "train")) == list(range(12))
    listed = read(root, "ListFiles", test="test.txt", group="_")
    assert (listed.keys, listed.given, listed.groups) == (found.keys, found.given, found.groups)
    assert counts(listed, "val") == counts(found, "val")


def test_real_drive(real_data: Callable[[str], Path]) -> None:
    root = real_data("segmentation/drive_retina")
    train, test = (counts(read(root, "DriveMasks"), side) for side in ("train", "test"))
    assert train[1] / (train[0] + train[1]) == pytest.approx(0.1254, abs=5e-5)
    assert test[1] / (test[0] + test[1]) == pytest.approx(0.1273, abs=5e-5)
    assert sum(test.values()) == 20 * 565 * 584
    first, second = (read(root, "DriveMasks", observer=number) for number in (1, 2))
    tests = range(20, 40)
    one = np.concatenate([first.read_mask(number).ravel() for number in tests])
    two = np.concatenate([second.read_mask(number).ravel() for number in tests])
    inside = one >= 0
    assert (one == two)[inside].mean() == pytest.approx(0.9473, abs=5e-5)
    hits = ((one == 1) & (two == 1)).sum()
    assert 2 * hits / ((one == 1).sum() + (two == 1).sum()) == pytest.approx(0.7891, abs=5e-5)


def test_every_layout_has_a_summary_and_a_source() -> None:
    assert {entry.name for entry in entries("mask_layout")} >= {
        "AdeMasks", "CamVidMasks", "CityscapesMasks", "CocoPanoptic", "DriveMasks", "ListFiles", "MaskFolders",
        "VocMasks",
    }  # fmt: skip
    assert all(entry.summary and (entry.source or entry.name == "SyntheticMasks") for entry in entries("mask_layout"))
