"""Statistics and splits of images with masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.mask_trees import picture, values, write
from tricklab.data.duplicates import near_pairs
from tricklab.data.mask_duplicates import find_mask_duplicates
from tricklab.data.mask_store import read_pair
from tricklab.data.mask_summary import summarise_mask_split, summarise_masks
from tricklab.data.mask_survey import MaskSurvey, moments_of, pooled_moments, survey_masks
from tricklab.errors import UserError
from tricklab.registry import build
from tricklab.seeds import Seeds

HALVES = {"type": "RandomImages", "train": 0.5, "val": 0.5}


def settings(root: Path, **data: Any) -> Any:
    """The data component for a folder of images and masks."""
    return build("data", {"type": "segmentation", "root": str(root), "split": HALVES, **data})


def written(root: Path, count: int = 8) -> Path:
    """Images of 6 × 8 pixels; the first two masks have the value 2, the last is without a label."""
    for number in range(count):
        write(root / "images" / f"{number}.png", picture(number))
        wanted = (255,) if number == count - 1 else (0, 1, 2, 255) if number < 2 else (0, 1)
        write(root / "masks" / f"{number}.png", values(*wanted))
    return root


def test_classes_pixels_presence_and_what_is_ignored(tmp_path: Path) -> None:
    found = summarise_masks(settings(written(tmp_path), ignore=[255]), Seeds(0, 1))
    rows = {row["name"]: row for row in found["classes"]}
    assert [rows[name]["images"] for name in "012"] == [7, 7, 2]
    assert [rows[name]["pixels"] for name in "012"] == [5 * 24 + 24, 5 * 24 + 24, 24]
    assert rows["2"]["share"] == pytest.approx(24 / (2 * 144 + 24))
    assert found["unlabelled"] == {"pixels": 24 + 48, "share": 72 / (8 * 48), "most": 1.0, "images": 1}
    assert found["sizes"] == {"smallest": [6, 8], "largest": [6, 8]}
    assert (found["channels"], found["dtype"]) == (3, "uint8")
    for row in rows.values():
        assert row["train_pixels"] + row["val_pixels"] == row["pixels"]
        assert row["train_images"] + row["val_images"] == row["images"]


def test_statistics_are_those_of_the_training_pixels_that_training_would_take(tmp_path: Path) -> None:
    chosen = settings(written(tmp_path), ignore=[255])
    found, fold = summarise_masks(chosen, Seeds(0, 1)), chosen.prepare(Seeds(0, 1))
    assert np.allclose(found["statistics"]["train"]["mean"], fold.normalisation.mean, atol=1e-12)
    assert np.allclose(found["statistics"]["train"]["std"], fold.normalisation.std, atol=1e-12)
    assert found["statistics"]["train"]["pixels"] == 48 * int((fold.assigned == "train").sum())
    assert found["split"]["digest"] == fold.facts["data/split"]["digest"]


def test_moments_of_images_of_several_sizes_are_those_of_all_pixels() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 60000, (*size, 5), dtype=np.uint16) for size in ((3, 4), (7, 2), (5, 5))]
    mean, std, count = pooled_moments([moments_of(image) for image in images])
    every = np.concatenate([image.reshape(-1, 5) for image in images]).astype(np.float64)
    assert count == len(every)
    assert np.allclose(mean, every.mean(axis=0), rtol=1e-12)
    assert np.allclose(std, every.std(axis=0), rtol=1e-12)


def test_copies_are_named_and_kept_on_one_side_whatever_their_masks(tmp_path: Path) -> None:
    root = written(tmp_path)
    write(root / "images" / "5.png", picture(4))
    write(root / "masks" / "5.png", values(1, 0, 0))
    found = summarise_masks(settings(root, ignore=[255]), Seeds(0, 0))
    assert found["duplicates"]["identical"] == [["images/4.png", "images/5.png"]]
    assert found["duplicates"]["relabelled"] == [["images/4.png", "images/5.png"]]
    for block in range(6):
        images, sides, _ = summarise_mask_split(settings(root, ignore=[2, 255]), Seeds(0, block))
        assert sides[images.keys.index("images/4.png")] == sides[images.keys.index("images/5.png")]


def test_a_given_split_that_tears_a_picture_apart_is_refused_and_told(tmp_path: Path) -> None:
    for side, seeds in (("train", (0, 1, 2)), ("val", (3, 1))):
        for number in seeds:
            write(tmp_path / side / "images" / f"{side}{number}.png", picture(number))
            write(tmp_path / side / "masks" / f"{side}{number}.png", values(0, 1))
    chosen = settings(tmp_path, split={"type": "GivenImages"})
    leak = r"the split leaks: 1 picture lies on two sides: train/images/train1\.png \(train\) = val/images/val1\.png"
    with pytest.raises(UserError, match=leak):
        summarise_mask_split(chosen, Seeds(0, 0))
    with pytest.raises(UserError, match=leak):
        chosen.prepare(Seeds(0, 0))
    assert "the split leaks" in summarise_masks(chosen, Seeds(0, 0))["split"]["refused"]


def test_near_copies_on_two_sides_are_told(tmp_path: Path) -> None:
    ground = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)[..., None].repeat(3, axis=2)
    for side, seed, change in (("train", 0, 0), ("train", 1, 0), ("val", 0, 1), ("val", 2, 0)):
        noise = np.random.default_rng(seed).integers(0, 120, (40, 50, 3), dtype=np.uint8)
        write(tmp_path / side / "images" / f"{side}{seed}.png", ground // 4 + noise + np.uint8(change))
        write(tmp_path / side / "masks" / f"{side}{seed}.png", values(0, 1, size=(40, 50)))
    found = summarise_masks(settings(tmp_path, split={"type": "GivenImages"}), Seeds(0, 0))
    assert found["duplicates"]["crossing"] == [["train/images/train0.png", "val/images/val0.png"]]
    assert found["split"]["type"] == "GivenImages"


def test_faults_are_listed_and_the_rest_is_counted(tmp_path: Path) -> None:
    root = written(tmp_path)
    write(root / "masks" / "3.png", values(0, 1, size=(6, 7)))
    (root / "images" / "4.png").write_bytes(b"")
    found = summarise_masks(settings(root, ignore=[255]), Seeds(0, 0))
    assert len(found["faults"]) == 2
    assert "masks/3.png: the mask has 6 × 7 pixels" in found["faults"][0]
    assert "images/4.png: the file is empty" in found["faults"][1]
    assert found["split"] == {"refused": "2 of 8 images cannot be used"}
    assert found["classes"][0]["images"] == 5
    with pytest.raises(UserError, match="the mask has 6 × 7"):
        summarise_mask_split(settings(root, ignore=[255]), Seeds(0, 0))


def video(root: Path, frames: int, still: int, masks_agree: bool = True) -> Path:
    """Frames of 40 × 50 pixels, the first ``still`` of them of one scene that grows brighter, the others of their own.

    Args:
        masks_agree: whether the still frames have one mask, or each another one.
    """
    for number in range(frames):
        scene = 0 if number < still else number
        rng = np.random.default_rng(scene)
        pixels = rng.integers(0, 120, (40, 50, 3), dtype=np.uint8) + np.uint8(number)
        shown = np.random.default_rng(scene if masks_agree else number).integers(0, 2, (40, 50)).astype(np.uint8)
        write(root / "images" / f"{number:02}.png", pixels)
        write(root / "masks" / f"{number:02}.png", shown)
    return root


def test_near_copies_stay_on_one_side_unless_they_may_fall_anywhere(tmp_path: Path) -> None:
    root = video(tmp_path, 12, still=4)
    still = [f"images/{number:02}.png" for number in range(4)]
    torn = 0
    for block in range(6):
        images, sides, found = summarise_mask_split(settings(root), Seeds(0, block))
        assert found["duplicates"]["near"] == [still]
        assert found["duplicates"]["near_images"] == 4
        assert found["duplicates"]["crossing"] == []
        assert len({sides[images.keys.index(key)] for key in still}) == 1
        _, sides, found = summarise_mask_split(settings(root, duplicates="keep"), Seeds(0, block))
        assert found["duplicates"] == {"searched": False}
        torn += len(set(sides[:4].tolist())) > 1
        assert len(summarise_masks(settings(root, duplicates="keep"), Seeds(0, block))["duplicates"]["near"]) == 1
    assert torn > 2
    with pytest.raises(UserError, match=r"1 picture is there more than once, the first: images/00\.png = images/01"):
        settings(root, duplicates="error").prepare(Seeds(0, 0))


def test_training_draws_the_same_split_and_records_what_was_found(tmp_path: Path) -> None:
    chosen = settings(video(tmp_path, 12, still=4))
    fold = chosen.prepare(Seeds(0, 1))
    assert fold.facts["data/duplicates"]["near_images"] == 4
    assert fold.facts["data/copies"]["crossing"] == {"val": 0, "test": 0}
    _, _, found = summarise_mask_split(chosen, Seeds(0, 1))
    assert found["split"]["digest"] == fold.facts["data/split"]["digest"]
    assert chosen.prepare(Seeds(0, 1)).facts["data/duplicates"]["searched"]
    assert settings(tmp_path, duplicates="keep").prepare(Seeds(0, 1)).facts["data/copies"] is None


def test_pictures_that_look_alike_with_other_masks_are_no_copies(tmp_path: Path) -> None:
    found = summarise_masks(settings(video(tmp_path, 8, still=5, masks_agree=False)), Seeds(0, 0))
    assert found["duplicates"]["near"] == []
    assert found["split"]["type"] == "RandomImages"


def test_one_video_all_of_whose_frames_hang_together_is_told_in_one_line(tmp_path: Path) -> None:
    told = (
        r"^data.duplicates: near copies that must stay on one side leave no such split: .*; the largest of 1 groups is "
        r"10 of 10 images, from images/00\.png to images/09\.png\. .*duplicates: keep"
    )
    root = video(tmp_path / "all", 10, still=10)
    for split in (HALVES, {"type": "ImageFolds", "folds": 5}):
        with pytest.raises(UserError, match=told):
            settings(root, split=split).prepare(Seeds(0, 0))
        assert settings(root, split=split, duplicates="keep").prepare(Seeds(0, 0)).members["val"].size
    most = settings(video(tmp_path / "most", 10, still=9))
    with pytest.raises(UserError, match=r": 1 \w+ image instead of 5; the largest of 1 groups is 9 of 10 images"):
        most.prepare(Seeds(0, 0))


def test_near_copies_on_two_sides_of_a_given_split_are_recorded_and_nothing_is_moved(tmp_path: Path) -> None:
    for number in range(6):
        side = "train" if number < 4 else "val"
        pixels = np.random.default_rng(number % 4).integers(0, 120, (40, 50, 3), dtype=np.uint8) + np.uint8(number)
        write(tmp_path / side / "images" / f"{number}.png", pixels)
        write(tmp_path / side / "masks" / f"{number}.png", values(0, 1, size=(40, 50)))
    fold = settings(tmp_path, split={"type": "GivenImages"}).prepare(Seeds(0, 0))
    assert fold.facts["data/sizes"] == {"train": 4, "val": 2, "test": 0}
    assert fold.facts["data/copies"]["crossing"] == {"val": 2, "test": 0}
    assert fold.facts["data/copies"]["examples"][0] == "train/images/0.png (train) = val/images/4.png (val)"
    file = tmp_path / "split.csv"
    lines = [f"{fold.store.list.keys[number]},{side}" for number, side in enumerate(fold.assigned.tolist())]
    file.write_text("\n".join(["path,split", *lines]) + "\n")
    taken = settings(tmp_path, split={"type": "Manifest", "file": str(file)})
    assert taken.prepare(Seeds(0, 0)).facts["data/copies"]["crossing"]["val"] == 2


def survey_of(layout: str, root: Path) -> MaskSurvey:
    """A look at real images, with likeness."""
    images, labels = build("data", {"type": "segmentation", "root": str(root), "images": {"type": layout}}).listed()
    return survey_masks(
        images, lambda number: read_pair(images, labels, number), len(labels.classes), likeness=True
    )  # fmt: skip


@pytest.mark.slow
def test_retinas_are_not_copies_of_each_other_and_frames_of_a_standing_car_are(real_data: Any) -> None:
    retinas = survey_of("DriveMasks", real_data("segmentation/drive_retina"))
    assert retinas.likeness is not None
    # the pictures alone would say otherwise
    assert len(near_pairs(retinas.likeness.hashes, retinas.likeness.thumbnails)[0]) > 5
    assert find_mask_duplicates(retinas).near == ()
    street = survey_of("CamVidMasks", real_data("segmentation/camvid"))
    assert len(find_mask_duplicates(street).near) == 2
