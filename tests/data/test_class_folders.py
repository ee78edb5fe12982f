import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.data.pictures import class_tree, picture, save
from tricklab.data.layouts.folder_scan import natural_key
from tricklab.errors import UserError
from tricklab.registry import build


def read(root, kind="ClassFolders", **options):
    return build("layout", {"type": kind, **options}, root=None if root is None else str(root)).read()


def keys(images):
    return [images.key(number) for number in range(len(images))]


def test_natural_order_capitals_hidden_and_other_files(tmp_path):
    for name in (
        "c10/img10.PNG",
        "c10/img9.png",
        "c10/IMG2.png",
        "c9/b.JPG",
        "c9/a.jpeg",
        "c9/.hidden.png",
        ".git/x/y.png",
    ):
        path = tmp_path / name
        save(path.with_suffix(path.suffix.lower()), picture(len(name))).rename(path)
    save(tmp_path / "__MACOSX/c9/z.png", picture(0))
    (tmp_path / "README.txt").write_text("x")
    (tmp_path / "c9/Thumbs.db").write_text("x")
    images = read(tmp_path)
    assert images.classes == ("c9", "c10")
    assert keys(images) == ["c9/a.jpeg", "c9/b.JPG", "c10/IMG2.png", "c10/img9.png", "c10/img10.PNG"]
    assert images.labels.tolist() == [0, 0, 1, 1, 1]
    assert images.counts().tolist() == [2, 3]
    assert images.counts(np.array([True, False, True, True, False])).tolist() == [1, 2]
    assert {path.name for path in images.skipped} == {"README.txt", "Thumbs.db"}
    assert images.given is images.groups is images.pixels is None
    assert images.read(1).shape == (12, 16, 3)
    chosen = images.take(np.array([4, 0]))
    assert keys(chosen) == ["c10/img10.PNG", "c9/a.jpeg"]
    assert chosen.labels.tolist() == [1, 0]


def test_natural_key():
    names = ["x", "a10b2", "a10b1", "a9", "A2", "a2", "10", "9", ""]
    assert sorted(names, key=natural_key) == ["", "9", "10", "A2", "a2", "a9", "a10b1", "a10b2", "x"]


def test_deeper_folders_are_taken_only_if_asked_for(tmp_path):
    class_tree(tmp_path, {"a": 2, "b": 1})
    save(tmp_path / "a/more/deep/3.png", picture(0))
    with pytest.raises(UserError, match=r"/a: the class folder holds images in the folder more too.*nested: true"):
        read(tmp_path)
    assert keys(read(tmp_path, nested=True)) == ["a/0.png", "a/1.png", "a/more/deep/3.png", "b/0.png"]
    (tmp_path / "a/more/again").symlink_to(tmp_path / "a")
    assert len(read(tmp_path, nested=True)) == 4
    shutil.rmtree(tmp_path / "a/more")
    (tmp_path / "a/notes").mkdir()
    (tmp_path / "a/notes/n.txt").write_text("x")
    assert len(read(tmp_path)) == 3


def test_empty_classes_are_named(tmp_path):
    class_tree(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "Charlock").mkdir()
    (tmp_path / "Maize").mkdir()
    (tmp_path / "Maize/notes.txt").write_text("x")
    with pytest.raises(UserError, match="no image in the class folders Charlock, Maize"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: None, "there are no class folders here"),
        (lambda root: class_tree(root, {"a": 2}), "only one class, a"),
        (lambda root: class_tree(root / "train", {"a": 1}), r"its folders are train: .*SplitFolders"),
        (lambda root: root.rmdir(), "data.root: no such folder"),
        (lambda root: (root.rmdir(), root.write_text("x")), "is a file, not a folder"),
    ],
)
def test_what_is_no_tree_of_classes(tmp_path, make, words):
    root = tmp_path / "data"
    root.mkdir()
    make(root)
    with pytest.raises(UserError, match=words):
        read(root)
    with pytest.raises(UserError, match=r"ClassFolders needs the folder of the images.*--data DIR"):
        read(None)


def test_links_that_lead_nowhere_are_files(tmp_path):
    class_tree(tmp_path, {"a": 1, "b": 1})
    for name, target in (("a/loop.png", "loop.png"), ("a/gone.png", "/nowhere/x.png"), ("b/loop", "loop")):
        (tmp_path / name).symlink_to(target)
    images = read(tmp_path)
    assert keys(images) == ["a/0.png", "a/gone.png", "a/loop.png", "b/0.png"]
    assert [path.name for path in images.skipped] == ["loop"]
    with pytest.raises(UserError, match=r"a/loop\.png: it cannot be read: Too many levels of symbolic links"):
        images.read(2)


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"caf\xe9"])
def test_names_that_no_manifest_could_hold_are_refused(tmp_path, name):
    class_tree(tmp_path, {"été ☃": 1, "b": 1})
    assert keys(read(tmp_path)) == ["b/0.png", "été ☃/0.png"]
    try:
        os.mkdir(os.fsencode(tmp_path / "b") + b"/" + name)
    except OSError:
        pytest.skip("this file system knows UTF-8 names only")
    with pytest.raises(UserError, match=r"/b: the name caf\\xe9.* is no UTF-8 text, .* rename it"):
        read(tmp_path)


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    class_tree(tmp_path, {"a": 1, "b": 1})
    scan = os.scandir

    def refuse(folder):
        if Path(folder).name == "b":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"/b: the folder cannot be read: Permission denied"):
        read(tmp_path)


def test_files_that_are_not_read_are_named_where_a_class_has_no_other(tmp_path):
    class_tree(tmp_path, {"a": 1, "b": 2})
    for path in list((tmp_path / "b").iterdir()):
        path.rename(path.with_suffix(".HEIC"))
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match=r"no image in the class folder b.*; files that end in \.HEIC are not read"):
        read(tmp_path)


@pytest.mark.parametrize("more", ["extra", "labels"])
def test_split_folders_beside_others_are_no_classes(tmp_path, more):
    for name in ("train", "val", more):
        class_tree(tmp_path / name, {"a": 1, "b": 1})
    with pytest.raises(UserError, match=r"these are splits, not classes.*SplitFolders"):
        read(tmp_path)


def test_split_folders(tmp_path):
    class_tree(tmp_path / "Train", {"a": 2, "b": 3})
    class_tree(tmp_path / "valid", {"a": 1, "b": 1}, start=10)
    class_tree(tmp_path / "test", {"a": 1, "b": 2}, start=20)
    class_tree(tmp_path / "kaggle", {"x": 1})
    images = read(tmp_path, "SplitFolders")
    assert images.given == ("train",) * 5 + ("val",) * 2 + ("test",) * 3
    assert images.labels.tolist() == [0, 0, 1, 1, 1, 0, 1, 0, 1, 1]
    assert images.key(5) == "valid/a/0.png"
    save(tmp_path / "valid/a/deep/1.png", picture(40))
    assert len(read(tmp_path, "SplitFolders", nested=True)) == 11


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda root: class_tree(root / "val", {"a": 1, "c": 1}),
            r"val: its classes are not those of train: it lacks b; training lacks c",
        ),
        (lambda root: class_tree(root / "val", {"a": 1}), r"it lacks b\. every split needs"),
        (lambda root: None, "there is train; expected train and val"),
        (
            lambda root: [class_tree(root / name, {"a": 1, "b": 1}) for name in ("val", "valid")],
            "both val and valid mean val",
        ),
        (lambda root: (root / "val/a").mkdir(parents=True), "no image in the class folder a"),
        (lambda root: (root / "test").mkdir(), "test: there are no class folders here"),
    ],
)
def test_split_folders_that_do_not_agree(tmp_path, make, words):
    class_tree(tmp_path / "train", {"a": 1, "b": 1})
    make(tmp_path)
    with pytest.raises(UserError, match=words):
        read(tmp_path, "SplitFolders")


def test_plant_seedlings(real_data):
    images = read(real_data("classification/plant_seedlings"))
    assert len(images) == 4750
    assert dict(zip(images.classes, images.counts().tolist(), strict=True)) == {
        "Black-grass": 263, "Charlock": 390, "Cleavers": 287, "Common_Chickweed": 611, "Common_wheat": 221,
        "Fat_Hen": 475, "Loose_Silky-bent": 654, "Maize": 221, "Scentless_Mayweed": 516, "Shepherds_Purse": 231,
        "Small-flowered_Cranesbill": 496, "Sugar_beet": 385,
    }  # fmt: skip
    assert [path.name for path in images.skipped] == ["SOURCE.txt"]
