"""Splits of images with masks."""

from __future__ import annotations

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
