import shutil

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
