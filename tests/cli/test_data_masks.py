"""tricklab data on images with masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.data.mask_trees import picture, values, write
from tricklab.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight images of four videos with masks."""
    root = tmp_path / "photos"
    for number in range(8):
        write(root / "images" / f"v{number // 2}_{number}.png", picture(number))
        write(root / "masks" / f"v{number // 2}_{number}.png", values(0, 1, 255))
    return root


def test_stats_of_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", str(folder), "data.ignore=[255]", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 8
    assert [row["name"] for row in found["classes"]] == ["0", "1"]
    assert "come without a split" in found["split"]["refused"]
    assert main(["data", "stats", str(folder), "data.ignore=[255]", "data.split.type=RandomImages"]) == 0
    shown = capsys.readouterr().out
    assert "8 images, all 6 × 8 pixels, 3 channels of uint8" in shown
    assert "33.33% of all pixels have no label" in shown
    assert "RandomImages, block 0: 6 train, 2 val images" in shown


def test_a_split_is_written_and_taken_back(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(folder), "data.ignore=[255]", "data.images.group=prefix"]
    drawn = ["data.split.type=ImageFolds", "data.split.folds=4", "data.split.fold=1", "data.split.by=group"]
    assert main(["data", "split", *words, *drawn, "--out", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["split_sizes"] == {"train": 6, "val": 2, "test": 0, "unused": 0}
    manifest = tmp_path / "out" / "manifest.csv"
    lines = manifest.read_text().splitlines()
    assert lines[0] == "path,split"
    assert len({line.split("_")[0] for line in lines if line.endswith(",val")}) == 1
    taken = ["data.split.type=Manifest", f"data.split.file={manifest}"]
    assert main(["data", "split", *words, *taken, "--out", str(tmp_path / "again"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["split"]["digest"] == found["split"]["digest"]
    assert (tmp_path / "again" / "manifest.csv").read_text() == manifest.read_text()
    assert main(["data", "split", *words, *drawn, "--out", str(tmp_path / "out")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_masks_are_not_laid_out_by_class(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "split", str(folder), "data.split.type=RandomImages", "--materialize", str(tmp_path / "x")]
    assert main(words) == 2
    assert "--materialize is for labelled images" in capsys.readouterr().err


def test_near_copies_are_printed_by_both_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "video"
    for number in range(8):
        noise = np.random.default_rng(max(number, 2)).integers(0, 120, (40, 50, 3), dtype=np.uint8)
        write(root / "images" / f"{number}.png", noise + np.uint8(number))
        write(root / "masks" / f"{number}.png", values(0, 1, size=(40, 50)))
    words = [str(root), "data.split.type=RandomImages"]
    assert main(["data", "stats", *words]) == 0
    line = "pictures with near-identical copies: 1\n  images/0.png = images/1.png = images/2.png\n"
    assert line in capsys.readouterr().out
    assert main(["data", "split", *words, "--out", str(tmp_path / "out")]) == 0
    assert line in capsys.readouterr().out
    assert main(["data", "split", *words, "data.duplicates=keep", "--out", str(tmp_path / "other")]) == 0
    assert "near-identical" not in capsys.readouterr().out
    assert main(["data", "split", *words, "data.duplicates=error", "--out", str(tmp_path / "third")]) == 2
    assert "1 picture is there more than once" in capsys.readouterr().err


def test_a_known_layout_of_masks_is_not_taken_for_classes_of_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "camvid" / "train" / "a.png", picture(0))
    write(tmp_path / "camvid" / "trainannot" / "a.png", values(0, 1, 255))
    assert main(["data", "stats", str(tmp_path / "camvid")]) == 2
    told = capsys.readouterr().err
    assert "images with masks are laid out like this (train, trainannot)" in told
    assert "add data.images.type=CamVidMasks" in told
