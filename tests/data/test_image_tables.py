"""CsvImages and ImageNetFolders: labels that stand in files."""

import numpy as np
import pytest
import scipy.io

from tests.data.pictures import class_tree, picture, save
from tricklab.errors import UserError
from tricklab.registry import build

ROWS = "image,label,split,group\na.png,crow,train,1\nb.png,ant,valid,1\n\nsub/c.png, crow ,,2\nd.png,ant,test,3\n"


def read(root, kind="CsvImages", **options):
    return build("layout", {"type": kind, **options}, root=str(root)).read()


@pytest.fixture
def table(tmp_path):
    for number, name in enumerate(("a", "b", "sub/c", "d")):
        save(tmp_path / f"{name}.png", picture(number))
    (tmp_path / "list.csv").write_text(ROWS)
    return tmp_path


def test_columns(table):
    images = read(table, file="list.csv", split="split", group="group")
    assert images.classes == ("ant", "crow")
    assert images.labels.tolist() == [1, 0, 1, 0]
    assert images.given == ("train", "val", "", "test")
    assert images.groups == ("1", "1", "2", "3")
    assert [images.key(number) for number in range(4)] == ["a.png", "b.png", "sub/c.png", "d.png"]
    assert np.array_equal(images.read(2), picture(2))
    plain = read(table, file="list.csv")
    assert plain.given is plain.groups is None


def test_other_names_delimiter_suffix_folder_and_a_byte_order_mark(table):
    (table / "lists").mkdir()
    text = "\ufeffspecies;id\nant;a\ncrow;sub/c\n"
    (table / "lists/train.csv").write_text(text, encoding="utf-8")
    options = {"image": "id", "label": "species", "delimiter": ";", "suffix": ".png"}
    images = read(table, file="lists/train.csv", folder=".", **options)
    assert images.key(1) == "sub/c.png"
    with pytest.raises(UserError, match=r"2 of 2 images are not there: .*lists/a\.png \(line 2\)"):
        read(table, file="lists/train.csv", **options)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (("d.png,ant", "a.png,crow"), {}, r"list\.csv:6: a\.png is listed twice, in lines 2 and 6$"),
        (("d.png,ant", "a.png,ant"), {}, r"in lines 2 and 6, as crow and as ant"),
        (("d.png", "gone.png"), {}, r"1 of 4 images are not there: .*gone\.png \(line 6\)"),
        (("d.png,ant", "d.png,"), {}, r"list\.csv:6: the column 'label' is empty"),
        (("test,3", "test,"), {"group": "group"}, r"list\.csv:6: the column 'group' is empty"),
        (("test,3", "testing,3"), {"split": "split"}, r"list\.csv:6, column split: unknown split 'testing'"),
        (("d.png,ant", "d.png,ant,ant"), {}, r"list\.csv:6: 5 values, the header names 4"),
        (("image,label", "image,labels"), {}, r"list\.csv:1: no column 'label'\. did you mean 'labels'"),
        (("image,label", "image,image"), {"label": "split"}, r"two columns are named 'image'"),
        ((ROWS[24:], ""), {}, "the table has no rows"),
        ((ROWS, ""), {}, "no column 'image'"),
        ((",", ";"), {}, r"no column 'image'\. its columns stand apart by ';', not by ','"),
        (("crow", "ant"), {}, "only one class, ant"),
        (("d.png", '"d.png'), {}, "the table is torn"),
        (("", ""), {"delimiter": ",,"}, "a delimiter is one character"),
        (("", ""), {"file": "lst.csv"}, "did you mean 'list.csv'"),
    ],
)
def test_each_fault_names_its_line(table, change, options, words):
    (table / "list.csv").write_text(ROWS.replace(*change) if change[0] else ROWS)
    with pytest.raises(UserError, match=words):
        read(table, **{"file": "list.csv", **options})


def test_bytes_that_are_no_text(table):
    (table / "list.csv").write_bytes(ROWS.encode() + b"\xff\xfe,x,,\n")
    with pytest.raises(UserError, match="no UTF-8 text"):
        read(table, file="list.csv")


@pytest.fixture
def imagenet(tmp_path):
    class_tree(tmp_path / "train", {"n02": 2, "n01": 3})
    for number in range(4):
        save(tmp_path / f"val/ILSVRC2012_val_0000000{number + 1}.png", picture(20 + number))
    return tmp_path


NAMES = [f"ILSVRC2012_val_0000000{number + 1}" for number in range(4)]
WNIDS = ["n02", "n01", "n01", "n02"]


def by_name(images):
    return {path.stem: images.classes[label] for path, label in zip(images.paths, images.labels, strict=True)}


@pytest.mark.parametrize(
    "lines",
    [
        [f"{name}.png {wnid}" for name, wnid in zip(NAMES, WNIDS, strict=True)],
        ["ImageId,PredictionString", *(f"{name},{wnid} 85 1 499 272" for name, wnid in zip(NAMES, WNIDS, strict=True))],
    ],
)
def test_flat_validation_images_with_named_labels(imagenet, lines):
    (imagenet / "labels.csv").write_text("\n".join(lines) + "\n")
    images = read(imagenet, "ImageNetFolders", labels="labels.csv")
    assert images.classes == ("n01", "n02")
    assert images.given == ("train",) * 5 + ("val",) * 4
    assert {name: by_name(images)[name] for name in NAMES} == dict(zip(NAMES, WNIDS, strict=True))


def test_the_kits_numbers_need_the_kits_table(imagenet):
    # the kit counts n02 as 1 and n01 as 2
    (imagenet / "truth.txt").write_text("1\n2\n2\n1\n")
    with pytest.raises(UserError, match=r"truth\.txt: its labels are the development kit's numbers.*meta\.mat"):
        read(imagenet, "ImageNetFolders", labels="truth.txt")
    synsets = np.array(
        [(1, "n02", "crane"), (2, "n01", "ant")], dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")]
    )
    scipy.io.savemat(imagenet / "meta.mat", {"synsets": synsets})
    images = read(imagenet, "ImageNetFolders", labels="truth.txt", meta="meta.mat")
    assert {name: by_name(images)[name] for name in NAMES} == dict(zip(NAMES, WNIDS, strict=True))
    (imagenet / "truth.txt").write_text("1\n2\n3\n1\n")
    with pytest.raises(UserError, match=r"truth\.txt:3: no class has the number 3"):
        read(imagenet, "ImageNetFolders", labels="truth.txt", meta="meta.mat")
    (imagenet / "truth.txt").write_text("1\n2\n")
    with pytest.raises(UserError, match="2 labels for 4 images"):
        read(imagenet, "ImageNetFolders", labels="truth.txt", meta="meta.mat")
    scipy.io.savemat(imagenet / "meta.mat", {"other": 1})
    (imagenet / "truth.txt").write_text("1\n2\n2\n1\n")
    with pytest.raises(UserError, match=r"not the development kit's meta\.mat"):
        read(imagenet, "ImageNetFolders", labels="truth.txt", meta="meta.mat")
    whole = (imagenet / "meta.mat").read_bytes()
    for torn in (b"", whole[:90], whole[:200], b"hello"):
        (imagenet / "meta.mat").write_bytes(torn)
        with pytest.raises(UserError, match=r"not the development kit's meta\.mat"):
            read(imagenet, "ImageNetFolders", labels="truth.txt", meta="meta.mat")


def test_label_files_that_hold_no_labels(imagenet):
    (imagenet / "truth.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"truth\.txt: this is no text file of labels"):
        read(imagenet, "ImageNetFolders", labels="truth.txt")
    (imagenet / "truth.txt").write_text(" \n\n")
    with pytest.raises(UserError, match=r"truth\.txt: there are no labels here"):
        read(imagenet, "ImageNetFolders", labels="truth.txt")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([f"{name} n01" for name in NAMES[:3]], "no label for ILSVRC2012_val_00000004.png"),
        ([f"{name} n01" for name in [*NAMES, "more"]], "1 labels have no image, the first is more"),
        ([f"{name} n01" for name in [*NAMES, NAMES[0]]], r"labels:5: ILSVRC2012_val_00000001 is listed twice"),
        ([f"{name} n0{number}" for number, name in enumerate(NAMES)], "training lacks n00, n03"),
        ([f"{name} n01" for name in NAMES], "it lacks n02"),
        (["a b", "c"], "labels:2: expected an image and its class"),
    ],
)
def test_labels_that_do_not_fit(imagenet, lines, words):
    (imagenet / "labels").write_text("\n".join(lines))
    with pytest.raises(UserError, match=words):
        read(imagenet, "ImageNetFolders", labels="labels")


def test_sorted_validation_images(imagenet):
    with pytest.raises(UserError, match=r"val holds no class folders.*LOC_val_solution"):
        read(imagenet, "ImageNetFolders")
    for path in (imagenet / "val").iterdir():
        path.unlink()
    class_tree(imagenet / "val", {"n01": 1, "n02": 1}, start=30)
    assert read(imagenet, "ImageNetFolders").given == ("train",) * 5 + ("val",) * 2
    (imagenet / "val").rename(imagenet / "other")
    with pytest.raises(UserError, match="no folder val"):
        read(imagenet, "ImageNetFolders")
