"""Splits of images with masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tricklab.data.mask_division import units_of
from tricklab.data.mask_list import MaskList
from tricklab.errors import UserError
from tricklab.registry import build
from tricklab.seeds import Seeds


def listed(count: int = 20, given: str | None = None, groups: bool = True) -> MaskList:
    """Images that are never read."""

    def nothing(number: int) -> np.ndarray:
        raise AssertionError(number)

    return MaskList(
        keys=tuple(f"folder{number % 4}/{number:02}.png" for number in range(count)),
        read_image=nothing,
        read_mask=nothing,
        classes=("a", "b"),
        values=(0, 1),
        name="nowhere",
        given=None if given is None else tuple(given.split()),
        groups=tuple(f"video{number // 5}" for number in range(count)) if groups else None,
    )


def drawn(config: dict[str, object], images: MaskList, block: int = 0, units: np.ndarray | None = None) -> np.ndarray:
    """The sides of one block."""
    own = np.arange(len(images)) if units is None else units
    found: np.ndarray = build("mask_split", config, root=None).draw(images, own, Seeds(0, block))
    return found


def test_given_sides_are_taken() -> None:
    sides = drawn({"type": "GivenImages"}, listed(4, "train val test train"))
    assert sides.tolist() == ["train", "val", "test", "train"]
    with pytest.raises(UserError, match="come without a split"):
        drawn({"type": "GivenImages"}, listed())


def test_a_share_of_the_given_training_images_is_drawn_for_validation() -> None:
    images = listed(20, " ".join(["train"] * 16 + ["test"] * 4))
    first, second = (drawn({"type": "GivenImages", "val": 0.25}, images, block) for block in (0, 1))
    for sides in (first, second):
        assert (sides == "val").sum() == 4
        assert (sides[16:] == "test").all()
    assert (first != second).any()
    with pytest.raises(UserError, match="there are validation images already"):
        drawn({"type": "GivenImages", "val": 0.5}, listed(4, "train val test train"))


def test_random_images_have_their_shares_anew_in_each_block() -> None:
    images = listed()
    first, again, other = (drawn({"type": "RandomImages"}, images, block) for block in (0, 0, 1))
    assert (first == "val").sum() == 4
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize(("by", "name"), [("group", lambda n: n // 5), ("folder", lambda n: n % 4)])
def test_what_belongs_together_stays_on_one_side(by: str, name: object) -> None:
    assert callable(name)
    for config in ({"type": "RandomImages", "train": 0.75, "val": 0.25}, {"type": "ImageFolds", "folds": 4}):
        for block in range(4):
            sides = drawn({**config, "by": by}, listed(), block)
            assert (sides == "val").sum() == 5
            for group in range(4):
                assert len({sides[n] for n in range(20) if name(n) == group}) == 1


def test_groups_that_are_not_there_are_an_error() -> None:
    with pytest.raises(UserError, match="have no groups"):
        drawn({"type": "RandomImages", "by": "group"}, listed(groups=False))


def test_identical_images_stay_on_one_side() -> None:
    units = units_of(["a", "b", "a", *map(str, range(17))])
    for block in range(6):
        sides = drawn({"type": "RandomImages", "train": 0.5, "val": 0.5}, listed(), block, units)
        assert sides[0] == sides[2]


def test_folds_evaluate_every_image_once() -> None:
    sides = [drawn({"type": "ImageFolds", "folds": 4, "fold": fold}, listed()) for fold in range(4)]
    assert (sum((found == "val").astype(int) for found in sides) == 1).all()


def test_a_manifest_says_the_sides(tmp_path: Path) -> None:
    images = listed(4)
    file = tmp_path / "split.csv"
    lines = [f"{key},{side}" for key, side in zip(images.keys, ("train", "val", "", "test"), strict=True)]
    file.write_text("path,split\n" + "\n".join(lines) + "\n")
    assert drawn({"type": "Manifest", "file": str(file)}, images).tolist() == ["train", "val", "", "test"]
    file.write_text("path,split\n" + "\n".join(lines[:3]) + "\n")
    with pytest.raises(UserError, match="not listed: folder3/03"):
        drawn({"type": "Manifest", "file": str(file)}, images)


def shown_list(shown: np.ndarray, **more: object) -> MaskList:
    """Images of which it is known what they show."""
    return replace(listed(len(shown), **more), shown=shown)  # type: ignore[arg-type]


def lacking(shown: np.ndarray, sides: np.ndarray) -> list[tuple[str, int]]:
    """Classes that a side has no pixel of."""
    return [
        (side, int(number))
        for side in dict.fromkeys(sides.tolist())
        for number in np.flatnonzero(~shown[sides == side].any(axis=0))
    ]


def test_rare_classes_are_on_both_sides_of_a_random_split() -> None:
    shown = np.random.default_rng(0).random((60, 12)) < 0.3
    shown[:, 4:] = False
    # eight classes in two images each, one in a single image
    for number in range(4, 12):
        shown[[number, 59 - number], number] = True
    shown[30] = shown[30] | (np.arange(12) == 11)
    shown[[11, 48], 11] = False
    images, config = shown_list(shown), {"type": "RandomImages", "train": 0.8, "val": 0.2}
    wrong = 0
    for block in range(12):
        before, after = (drawn(config, one, block) for one in (listed(60), images))
        wrong += len(lacking(shown, before)) > 1
        assert lacking(shown, after) == [("val", 11)]
        assert (after == "val").sum() == (before == "val").sum() == 12
        assert (after == drawn(config, images, block)).all()
    assert wrong == 12


def test_a_draw_that_lacks_nothing_stays_as_it_was() -> None:
    shown = np.ones((20, 3), dtype=bool)
    for block in range(4):
        for config in ({"type": "RandomImages"}, {"type": "RandomImages", "by": "group", "train": 0.75, "val": 0.25}):
            assert (drawn(config, shown_list(shown), block) == drawn(config, listed(), block)).all()


def test_groups_change_places_as_a_whole_and_three_sides_are_served() -> None:
    shown = np.zeros((20, 3), dtype=bool)
    shown[:, 0] = True
    shown[[0, 6, 13], 1] = True
    shown[[1, 19], 2] = True
    config = {"type": "RandomImages", "train": 0.5, "val": 0.25, "test": 0.25, "by": "group"}
    for block in range(8):
        sides = drawn(config, shown_list(shown), block)
        # the third class is in two videos: training and validation have it, the test set cannot
        assert lacking(shown, sides) == [("test", 2)]
        assert all(len(set(sides[start : start + 5])) == 1 for start in range(0, 20, 5))
        assert (sides == "train").sum() == 10


def test_sizes_give_way_by_as_little_as_it_takes() -> None:
    shown = np.ones((20, 2), dtype=bool)
    shown[:, 1] = False
    shown[[0, 2], 1] = True
    # the rare class lies in a group of six and one of two; the other images are alone
    units = np.array([0, 0, 1, 1, 1, 1, 1, 1, *range(2, 14)])
    for block in range(8):
        sides = drawn({"type": "RandomImages"}, shown_list(shown), block, units)
        assert lacking(shown, sides) == []
        assert len(set(sides[2:8])) == 1
        assert sides[0] == sides[1]
        # the pair changes places with one image
        assert (sides == "val").sum() in (4, 5)


def test_what_is_drawn_of_given_training_images_shows_every_class_and_leaves_the_test_set_alone() -> None:
    shown = np.ones((20, 2), dtype=bool)
    shown[:, 1] = False
    shown[[3, 7, 18], 1] = True
    images = shown_list(shown, given=" ".join(["train"] * 16 + ["test"] * 4))
    for block in range(6):
        sides = drawn({"type": "GivenImages", "val": 0.25}, images, block)
        assert lacking(shown, sides) == []
        assert (sides[16:] == "test").all()
        assert (sides == "val").sum() == 4
