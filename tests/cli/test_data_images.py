"""tricklab data on labelled images."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import class_tree, picture, save
from tricklab.cli.main import main
from tricklab.data.image_list import ImageList
from tricklab.data.image_reading import read_image
from tricklab.data.image_statistics import pooled_statistics
from tricklab.registry import build
from tricklab.seeds import Seeds


def output(capsys, *arguments, code=0):
    assert main(["data", *map(str, arguments)]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


@pytest.fixture
def photos(tmp_path):
    root = class_tree(tmp_path / "photos", {"ant": 10, "bee": 20})
    shutil.copy(root / "ant/3.png", root / "ant/copy.png")
    (root / "notes.txt").write_text("x")
    return root


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_manifest_is_written_and_taken_back(capsys, photos, tmp_path):
    found = json.loads(output(capsys, "split", photos, "--out", tmp_path / "s", "--json"))
    listed = rows(tmp_path / "s/manifest.csv")
    assert len(listed) == 31
    assert found["split_sizes"] == {"train": 22, "val": 9, "test": 0, "unused": 0}
    assert sum(row["split"] == "val" for row in listed) == 9
    side = {row["path"]: row["split"] for row in listed}
    assert side["ant/3.png"] == side["ant/copy.png"]
    assert all(row["path"].startswith(f"{row['label']}/") for row in listed)
    taken = f"data.split={{type: Manifest, file: {tmp_path / 's/manifest.csv'}}}"
    again = json.loads(output(capsys, "split", photos, taken, "--out", tmp_path / "t", "--json"))
    assert again["split"]["digest"] == found["split"]["digest"]
    assert (tmp_path / "t/manifest.csv").read_text() == (tmp_path / "s/manifest.csv").read_text()
    other = json.loads(output(capsys, "split", photos, "--block", "1", "--out", tmp_path / "u", "--json"))
    assert other["split"]["digest"] != found["split"]["digest"]
    assert "exists already" in output(capsys, "split", photos, "--out", tmp_path / "s", code=2)


def test_the_split_is_the_one_that_training_draws(capsys, photos, tmp_path):
    output(capsys, "split", photos, "seed=4", "--block", "2", "--out", tmp_path / "s")
    fold = build("data", {"type": "classification", "root": str(photos), "size": 8}).prepare(Seeds(4, 2))
    assert [row["split"] for row in rows(tmp_path / "s/manifest.csv")] == fold.assigned.tolist()


def test_folds_from_the_command_line(capsys, photos, tmp_path):
    evaluated = []
    for fold in range(3):
        changes = ("data.split.type=ImageFolds", "data.split.folds=3", f"data.split.fold={fold}")
        output(capsys, "split", photos, *changes, "--out", tmp_path / str(fold))
        evaluated += [row["path"] for row in rows(tmp_path / str(fold) / "manifest.csv") if row["split"] == "val"]
    assert len(evaluated) == len(set(evaluated)) == 31


@pytest.mark.parametrize("copy", [False, True])
def test_materialized_folders(capsys, photos, tmp_path, copy):
    before = sorted(path.read_bytes() for path in photos.rglob("*.png"))
    target = tmp_path / "out"
    target.mkdir()
    arguments = ("--materialize", target, "--out", tmp_path / "s", *(["--copy"] if copy else []))
    text = output(capsys, "split", photos, *arguments)
    assert ("31 copied" if copy else "31 linked") in text
    assert {path.name for path in target.iterdir()} == {"train", "val"}
    for row in rows(tmp_path / "s/manifest.csv"):
        made = target / row["split"] / row["path"]
        assert os.path.samefile(made, photos / row["path"]) is not copy
        assert made.read_bytes() == (photos / row["path"]).read_bytes()
    assert sum(path.is_file() for path in target.rglob("*")) == 31
    assert sorted(path.read_bytes() for path in photos.rglob("*.png")) == before
    changes = ("data.images.type=SplitFolders", "data.split.type=GivenSplit")
    again = json.loads(output(capsys, "split", target, *changes, "--out", tmp_path / "t", "--json"))
    assert again["split_sizes"]["val"] == 9


def test_one_folder_for_the_manifest_and_the_images(capsys, photos, tmp_path):
    arguments = ("--materialize", tmp_path / "out", "--out", tmp_path / "out")
    assert "31 linked" in output(capsys, "split", photos, *arguments)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"train", "val", "manifest.csv"}


def test_a_manifest_that_is_there_is_refused_before_the_images_are_read(capsys, photos, tmp_path, monkeypatch):
    (tmp_path / "manifest.csv").write_text("mine")
    monkeypatch.setattr(ImageList, "read", lambda *_: pytest.fail("an image was read"))
    assert "exists already" in output(capsys, "split", photos, "--out", tmp_path, code=2)
    assert (tmp_path / "manifest.csv").read_text() == "mine"


def test_names_that_cannot_be_told_apart_leave_nothing_behind(capsys, tmp_path):
    lines = ["image,label"]
    for number, name in enumerate(("x/a.png", "y/a.png", "x__a.png", "z/b.png", "z/c.png")):
        save(tmp_path / "data" / name, picture(number))
        lines.append(f"{name},a")
    for number in range(4):
        save(tmp_path / f"data/b{number}.png", picture(10 + number))
        lines.append(f"b{number}.png,b")
    (tmp_path / "data/list.csv").write_text("\n".join(lines))
    changes = ("data.images={type: CsvImages, file: list.csv}", "data.split.train=0.99", "data.split.val=0.01")
    arguments = ("--materialize", tmp_path / "out", "--out", tmp_path / "s")
    for block in range(20):
        # which images meet depends on the block
        if main(["data", "split", str(tmp_path / "data"), *changes, *map(str, arguments), "--block", str(block)]) == 2:
            break
        shutil.rmtree(tmp_path / "out")
        shutil.rmtree(tmp_path / "s")
    assert "would both become" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()
    assert not (tmp_path / "out").exists()


def test_names_with_spaces_around_them_are_taken_back(capsys, tmp_path):
    root = class_tree(tmp_path / "d", {" a ": 4, "b": 4})
    (root / "b/1.png").rename(root / "b/ one.png")
    (root / " a /0.png").rename(root / " a /two .png")
    output(capsys, "split", root, "--out", tmp_path / "s")
    taken = f"data.split={{type: Manifest, file: {tmp_path / 's/manifest.csv'}}}"
    output(capsys, "split", root, taken, "--out", tmp_path / "t")
    assert (tmp_path / "t/manifest.csv").read_text() == (tmp_path / "s/manifest.csv").read_text()


def test_names_that_meet_and_images_that_are_left_out(capsys, tmp_path):
    lines = ["image,label,split"]
    for number in range(8):
        save(tmp_path / f"data/day{number}/a.png", picture(number))
        side = ("train", "train", "val", "")[number // 2]
        lines.append(f"day{number}/a.png,{'ab'[number % 2]},{side}")
    (tmp_path / "data/list.csv").write_text("\n".join(lines))
    layout = "data.images={type: CsvImages, file: list.csv, split: split}"
    arguments = ("data.split.type=GivenSplit", "--materialize", tmp_path / "out", "--out", tmp_path / "s")
    output(capsys, "split", tmp_path / "data", layout, *arguments)
    made = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png")}
    assert made == {
        "train/a/day0__a.png", "train/a/day2__a.png", "train/b/day1__a.png", "train/b/day3__a.png", "val/a/a.png",
        "val/b/a.png",
    }  # fmt: skip
    assert rows(tmp_path / "s/manifest.csv")[7]["split"] == ""


def test_images_in_memory_are_written(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    layout = "data.images={type: SyntheticImages, classes: 2, per_class: 10, size: 16}"
    arguments = ("--materialize", tmp_path / "out", "--out", tmp_path / "s")
    assert "20 written" in output(capsys, "split", tmp_path / "empty", layout, *arguments)
    first = build("layout", {"type": "SyntheticImages", "classes": 2, "per_class": 10, "size": 16}).read().pixels[0]
    row = rows(tmp_path / "s/manifest.csv")[0]
    assert np.array_equal(read_image(tmp_path / "out" / row["split"] / f"{row['path']}.png"), first)


def test_stats(capsys, photos):
    text = output(capsys, "stats", photos)
    for words in (
        "there more than once, byte for byte: 1 picture\n",
        "no images: 1 file\n",
        "ant/3.png = ant/copy.png",
        "notes.txt",
        "training images: mean",
    ):
        assert words in text
    found = json.loads(output(capsys, "stats", photos, "--json"))
    files = list(photos.rglob("*.png"))
    assert found["statistics"]["all"]["mean"] == pooled_statistics(files).mean.tolist()
    assert found["statistics"]["train"]["images"] == found["split_sizes"]["train"] == 22
    assert found["duplicates"]["identical"] == [["ant/3.png", "ant/copy.png"]]
    assert found["per_class"][1] == {"name": "bee", "images": 20, "train": 14, "val": 6, "test": 0, "unused": 0}


def test_stats_report_the_faults_that_a_split_refuses(capsys, photos, tmp_path):
    shutil.copy(photos / "ant/1.png", photos / "bee/odd.png")
    (photos / "bee/torn.jpg").write_bytes(save(tmp_path / "t.jpg", picture(0, 64, 64)).read_bytes()[:500])
    save(photos / "bee/cmyk.jpg", Image.fromarray(picture(77)).convert("CMYK"))
    found = json.loads(output(capsys, "stats", photos, "--json"))
    assert found["duplicates"]["contradictory"] == ["ant/1.png (ant) = bee/odd.png (bee)"]
    assert len(found["unreadable"]) == 1
    assert "cannot be read" in found["split"]["refused"]
    assert "cannot be read: 1 file\n" in output(capsys, "stats", photos)
    asked = ("split", photos, "--out", tmp_path / "s")
    assert "bee/torn.jpg" in output(capsys, *asked, code=2)
    skip = ("data.unreadable=skip",)
    assert "1 picture under more than one label: ant/1.png (ant)" in output(capsys, *asked, *skip, code=2)
    assert not (tmp_path / "s").exists()
    left = json.loads(output(capsys, *asked, *skip, "data.contradictions=drop", "--json"))
    assert left["split_sizes"]["unused"] == 3
    assert left["duplicates"]["dropped"] == 2


def test_a_given_split_that_leaks_is_refused(capsys, tmp_path):
    class_tree(tmp_path / "d/train", {"a": 3, "b": 3})
    class_tree(tmp_path / "d/val", {"a": 2, "b": 2}, start=10)
    shutil.copy(tmp_path / "d/train/b/0.png", tmp_path / "d/val/b/9.png")
    changes = ("data.images.type=SplitFolders", "data.split.type=GivenSplit", "--out", tmp_path / "s")
    error = output(capsys, "split", tmp_path / "d", *changes, code=2)
    assert "the split leaks: 1 picture lies on two sides: train/b/0.png (train) = val/b/9.png (val)" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("split", "PHOTOS", "--materialize", "FULL"), "the folder is not empty"),
        (("split", "PHOTOS", "--materialize", "FULL/x.txt"), "this is a file"),
        (("split", "PHOTOS", "--materialize", "PHOTOS/out"), "the folder lies among the images"),
        (("split", "PHOTOS", "--copy"), "--copy says how to --materialize"),
        (("split", "PHOTOS", "model.type=x"), "model.type=x does not concern a folder of images"),
        (("split", "PHOTOS", "+se"), "+se does not concern"),
        (("stats", "PHOTOS", "--data", "PHOTOS"), "--data does not concern"),
        (("split", "PHOTOS", "data.split.type=Stratfied"), "did you mean 'Stratified'"),
        (("split", "PHOTOS", "data.splt.type=Stratified"), "did you mean 'split'"),
        (("split", "PHOTOS", "data.split.train=0.9"), "the shares add up to 1.2, not 1"),
        (("stats", "FULL"), "there are no class folders here"),
        (("stats", "NEW/photos"), "new/photos: no such folder. give a folder of images"),
        (("split", "NEW/photos"), "new/photos: no such folder"),
        (("split", "demo", "--materialize", "NEW"), "--materialize is for labelled images"),
    ],
)
def test_each_mistake_is_one_error_and_nothing_is_written(capsys, photos, tmp_path, monkeypatch, arguments, words):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    places = {"PHOTOS": photos, "FULL": tmp_path / "full", "NEW": tmp_path / "new"}
    filled = []
    for item in arguments:
        for name, path in places.items():
            item = item.replace(name, str(path))
        filled.append(item)
    error = output(capsys, *filled, code=2)
    assert words in error
    assert "Traceback" not in error
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "words"), [("../../up", "cannot be the name of a folder"), (".up", "would be hidden")]
)
def test_a_class_that_cannot_be_a_folder(capsys, tmp_path, name, words):
    lines = ["image,label"]
    for number in range(8):
        save(tmp_path / f"data/{number}.png", picture(number))
        lines.append(f"{number}.png,{(name, 'b')[number % 2]}")
    (tmp_path / "data/list.csv").write_text("\n".join(lines))
    arguments = ("data.images={type: CsvImages, file: list.csv}", "--materialize", tmp_path / "out")
    assert words in output(capsys, "split", tmp_path / "data", *arguments, code=2)
    assert not (tmp_path / "up").exists()
