"""What files say of their classes ends up in a run's recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.mask_trees import SIZE, pair, picture, values, write
from tricklab.errors import UserError
from tricklab.recipe import load, resolve
from tricklab.registry import build
from tricklab.seeds import Seeds

SPLIT = {"type": "RandomImages", "train": 0.5, "val": 0.5}


def resolved(root: Path, **data: Any) -> dict[str, Any]:
    """The ``data`` of a resolved recipe."""
    recipe = {
        "task": "segmentation",
        "data": {"root": str(root), "split": SPLIT, **data},
        "model": {"type": "PixelSVM"},
    }
    found: dict[str, Any] = resolve(load(recipe)).get("data")
    return found


def coloured(root: Path, name: str, *colours: tuple[int, int, int]) -> None:
    """An image whose mask has these colours."""
    write(root / "images" / name, picture(len(name)))
    chosen = np.array(colours, dtype=np.uint8)
    write(root / "masks" / name, chosen[np.resize(np.arange(len(colours)), SIZE)])


def test_values_that_occur_are_written_without_the_ignored_ones(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / "images" / f"{number}.png", picture(number))
        write(tmp_path / "masks" / f"{number}.png", values(0, 7, 255))
    data = resolved(tmp_path, ignore=[255])
    assert data["images"]["values"] == {"0": 0, "7": 7}
    assert data["images"]["colours"] is None
    assert resolved(tmp_path, ignore=[255], classes=["sky", "road"])["images"]["values"] == {"0": 0, "7": 7}
    fold = build("data", {"type": "segmentation", **data, "classes": ["sky", "road"]}).prepare(Seeds(0, 0))
    assert (fold.classes, fold.label_ids) == (("sky", "road"), (0, 7))


def test_a_value_that_comes_later_is_an_error_for_the_run_and_another_recipe_for_a_new_one(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / "images" / f"{number}.png", picture(number))
        write(tmp_path / "masks" / f"{number}.png", values(0, 7))
    data = resolved(tmp_path)
    write(tmp_path / "masks" / "3.png", values(0, 7, 9))
    assert resolved(tmp_path)["images"]["values"] == {"0": 0, "7": 7, "9": 9}
    again = build("data", {"type": "segmentation", **data})
    assert again.images["values"] == {"0": 0, "7": 7}
    with pytest.raises(UserError, match=r"masks/3\.png: label value without a class: 9 \(16 pixels\)"):
        again.prepare(Seeds(0, 0))


def test_colours_that_occur_are_written_of_folders_and_lists(tmp_path: Path) -> None:
    for name in ("a.png", "bb.png", "ccc.png", "dddd.png"):
        coloured(tmp_path, name, (0, 0, 0), (128, 64, 128), (255, 255, 255))
    found = {"#000000": [0, 0, 0], "#804080": [128, 64, 128]}
    without = [[255, 255, 255]]
    folders = resolved(tmp_path, images={"type": "MaskFolders", "ignore_colours": without})
    assert folders["images"]["colours"] == found
    assert folders["images"]["values"] is None
    (tmp_path / "train.txt").write_text("a\nbb\n")
    (tmp_path / "val.txt").write_text("ccc\ndddd\n")
    names = {"image": "images/{name}.png", "mask": "masks/{name}.png"}
    lists = resolved(tmp_path, images={"type": "ListFiles", **names, "ignore_colours": without})
    assert lists["images"]["colours"] == found
    coloured(tmp_path, "a.png", (0, 0, 0), (9, 9, 9))
    with pytest.raises(UserError, match=r"a\.png: 1 colour is of no class: #090909"):
        build("data", {"type": "segmentation", **lists}).prepare(Seeds(0, 0))


def test_what_a_recipe_says_is_not_looked_for(tmp_path: Path) -> None:
    pair(tmp_path, "images/a.png", "masks/a.png", 0, 1, 2)
    told = {"type": "MaskFolders", "values": {"ground": 0, "tree": 1}}
    assert resolved(tmp_path, images=told)["images"]["values"] == {"ground": 0, "tree": 1}
    with pytest.raises(UserError, match=r"data\.images\.colours: masks hold label values or colours, not both"):
        build("mask_layout", {**told, "colours": {"x": [0, 0, 0]}}, root=str(tmp_path))


def test_files_that_cannot_be_read_yet_leave_the_recipe_open(tmp_path: Path) -> None:
    assert resolved(tmp_path / "nowhere")["images"]["values"] is None
    pair(tmp_path, "images/a.png", "masks/a.png", 0, 1)
    whole = (tmp_path / "masks" / "a.png").read_bytes()
    (tmp_path / "masks" / "a.png").write_bytes(whole[: len(whole) // 2])
    data = resolved(tmp_path)
    assert data["images"]["values"] is None
    with pytest.raises(UserError, match=r"masks/a\.png: "):
        build("data", {"type": "segmentation", **data}).prepare(Seeds(0, 0))


def test_layouts_that_know_their_classes_say_nothing_more() -> None:
    recipe = {"task": "segmentation", "data": {"images": {"type": "SyntheticMasks"}}, "model": {"type": "PixelSVM"}}
    assert "values" not in resolve(load(recipe)).get("data.images")
