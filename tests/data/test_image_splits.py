from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.pictures import unread
from tricklab.data.division import refuse_leaks
from tricklab.data.image_split import check_sides
from tricklab.data.image_splits.dealing import deal, largest_remainders, quotas
from tricklab.errors import UserError
from tricklab.registry import build
from tricklab.seeds import Seeds

LABELS = np.repeat(np.arange(4), [11, 30, 7, 52])


def draw(images, config, units=None, seed=0, block=0, root=None):
    units = np.arange(len(images)) if units is None else np.asarray(units)
    sides = build("image_split", config, root=root).draw(images, units, Seeds(seed, block))
    assert sides.dtype == np.dtype("<U5")
    assert sides.shape == (len(images),)
    return sides


def counts(images, sides, *names):
    return [images.counts(sides == name).tolist() for name in names]


def whole(units, sides):
    """Whether no unit lies on two sides."""
    return len(set(zip(units.tolist(), sides.tolist(), strict=True))) == len(set(units.tolist()))


def test_stratified_counts_are_largest_remainders():
    images = unread(np.random.default_rng(0).permutation(LABELS))
    sides = draw(images, {"type": "Stratified", "train": 0.7, "val": 0.3})
    # 7.7 | 3.3, 21 | 9, 4.9 | 2.1, 36.4 | 15.6
    assert counts(images, sides, "train", "val", "test", "") == [[8, 21, 5, 36], [3, 9, 2, 16], [0] * 4, [0] * 4]
    thirds = draw(images, {"type": "Stratified", "train": 0.5, "val": 0.2, "test": 0.2, "unused": 0.1})
    # 5.5 2.2 2.2 1.1, 15 6 6 3, 3.5 1.4 1.4 .7, 26 10.4 10.4 5.2
    assert counts(images, thirds, "train", "val", "test", "") == [
        [6, 15, 4, 26],
        [2, 6, 1, 11],
        [2, 6, 1, 10],
        [1, 3, 1, 5],
    ]


def test_blocks_differ_and_repeat():
    images = unread(LABELS)
    first, again, other = (draw(images, {"type": "Stratified"}, block=block) for block in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_image_is_drawn_as_often_as_its_share_says():
    images = unread(np.repeat([0, 1], 10))
    units = np.concatenate([[0, 0, 0], np.arange(1, 18)])
    drawn = np.array([draw(images, {"type": "Stratified"}, units, block=block) == "val" for block in range(300)])
    # standard error of a frequency .3 over 300 blocks is .026
    assert np.abs(drawn.mean(axis=0) - 0.3).max() < 0.11
    assert (drawn[:, 0] == drawn[:, 2]).all()


@given(seed=st.integers(0, 2**32), grouped=st.floats(0, 0.4), share=st.sampled_from([0.5, 0.7, 0.8]))
@settings(max_examples=40, deadline=None)
def test_units_stay_whole_and_classes_keep_their_share(seed, grouped, share):
    rng = np.random.default_rng(seed)
    images = unread(rng.permutation(np.repeat(np.arange(3), rng.integers(20, 60, 3))))
    units = np.arange(len(images))
    for number in np.flatnonzero(rng.random(len(images)) < grouped / 2):
        units[number] = units[rng.choice(np.flatnonzero(images.labels == images.labels[number]))]
    config = {"type": "Stratified", "train": share, "val": 1 - share}
    sides = draw(images, config, units, seed=seed)
    assert whole(units, sides)
    assert np.abs(images.counts(sides == "train") - share * images.counts()).max() <= 2
    if grouped == 0:
        assert np.abs(images.counts(sides == "train") - share * images.counts()).max() < 1


def test_a_unit_that_mixes_classes_stays_whole():
    images = unread(np.repeat([0, 1, 2], 12))
    units = np.arange(36)
    units[[0, 13, 25, 26]] = 99
    sides = draw(images, {"type": "Stratified", "train": 0.5, "val": 0.5}, units)
    assert len(set(sides[[0, 13, 25, 26]])) == 1
    assert counts(images, sides, "train") == [[6, 6, 6]]


@pytest.mark.parametrize(
    ("config", "labels", "words"),
    [
        ({"train": 0.7, "val": 0.2}, LABELS, r"the shares add up to 0\.9, not 1: train 0\.7 \+ val 0\.2.*0\.1 more"),
        ({"train": 0.7, "test": 0.2}, LABELS, r"add up to 1\.2.*0\.2 less"),
        ({"train": 1.2, "val": -0.2}, LABELS, r"data\.split\.train: a share must be between 0 and 1, not 1\.2"),
        ({}, [0, 0, 1], r"the class c1 has 1 image: it cannot be divided among train, val"),
        ({"train": 0.6, "val": 0.2, "test": 0.2}, [0, 0, 0, 1, 1], "c1 has 2 images"),
        ({"train": 0.0, "val": 1.0}, LABELS, "no training image"),
        ({"train": 1.0, "val": 0.0}, LABELS, "no val or test image"),
        ({"train": 0.5, "val": 0.0, "unused": 0.5}, LABELS, "no val or test image"),
    ],
)
def test_impossible_shares(config, labels, words):
    with pytest.raises(UserError, match=words):
        draw(unread(labels), {"type": "Stratified", **config})


def test_decimal_shares_are_taken_as_written():
    # 0.1 + 0.2 + 0.7 is not 1 in binary
    images = unread(np.repeat([0, 1], 10))
    sides = draw(images, {"type": "Stratified", "train": 0.7, "val": 0.1, "test": 0.2})
    assert counts(images, sides, "train", "val", "test") == [[7, 7], [1, 1], [2, 2]]
    thirds = draw(images, {"type": "Stratified", "train": 1 / 3, "val": 1 / 3, "test": 1 - 2 / 3})
    assert counts(images, thirds, "train", "val", "test") == [[4, 4], [3, 3], [3, 3]]


def test_a_class_of_copies_cannot_be_divided():
    images = unread([0] * 10 + [1] * 4)
    units = np.array([*range(10), 50, 50, 50, 50])
    with pytest.raises(UserError, match=r"no (train|val) image of c1"):
        draw(images, {"type": "Stratified"}, units)


def test_small_classes_are_on_every_side():
    images = unread([0] * 40 + [1] * 2)
    sides = draw(images, {"type": "Stratified", "train": 0.95, "val": 0.05})
    assert counts(images, sides, "train", "val") == [[38, 1], [2, 1]]


def test_largest_remainders():
    assert largest_remainders([Fraction(5, 2), Fraction(5, 2)], 5).tolist() == [3, 2]
    assert quotas(np.array([10]), [Fraction(1, 3)] * 3, ("a",), ("x", "y", "z")).ravel().tolist() == [4, 3, 3]


def plants(count=30, seed=0):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 15, count)
    return unread(
        np.repeat(np.arange(count) % 3, sizes), groups=tuple(f"plant {n}" for n in np.repeat(np.arange(count), sizes))
    )


def test_groups_stay_whole_and_shares_come_near():
    images = plants()
    groups = np.array(images.groups)
    drawn = [draw(images, {"type": "GroupedImages"}, block=block) for block in range(8)]
    for sides in drawn:
        assert whole(groups, sides)
        assert np.abs(images.counts(sides == "val") / images.counts() - 0.3).max() < 0.06
    assert len({tuple(sides) for sides in drawn}) == 8


def test_a_picture_in_two_groups_joins_them():
    images = plants()
    groups = np.array(images.groups)
    units = np.arange(len(images))
    one, other = (np.flatnonzero(groups == name)[0] for name in ("plant 0", "plant 3"))
    units[other] = units[one]
    for block in range(5):
        sides = draw(images, {"type": "GroupedImages"}, units, block=block)
        assert len(set(sides[(groups == "plant 0") | (groups == "plant 3")])) == 1


def test_groups_that_are_missing_or_too_few():
    with pytest.raises(UserError, match=r"the images have no groups.*CsvImages"):
        draw(unread(LABELS), {"type": "GroupedImages"})
    images = unread([0, 0, 1, 1, 1], groups=("a", "b", "c", "c", "c"))
    with pytest.raises(UserError, match="c1 has 3 images in 1 independent group: train, val need one each"):
        draw(images, {"type": "GroupedImages"})


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_evaluate_every_image_once(folds):
    images = unread(np.random.default_rng(1).permutation(LABELS))
    drawn = [draw(images, {"type": "ImageFolds", "folds": folds, "fold": fold}) for fold in range(folds)]
    assert (np.sum([sides == "val" for sides in drawn], axis=0) == 1).all()
    each = np.array([images.counts(sides == "val") for sides in drawn])
    assert (np.ptp(each, axis=0) <= 1).all()
    assert np.ptp(each.sum(axis=1)) <= 1
    assert all(((sides == "train") | (sides == "val")).all() for sides in drawn)


def test_a_fold_for_the_test_and_the_next_for_validation():
    images = unread(LABELS)
    config = {"type": "ImageFolds", "folds": 4, "test": True}
    drawn = [draw(images, {**config, "fold": fold}) for fold in range(4)]
    for fold in range(4):
        assert np.array_equal(drawn[fold] == "val", drawn[(fold + 1) % 4] == "test")
    free = [draw(images, config, block=block) for block in range(6)]
    assert len({tuple(sides) for sides in free}) == 6


def test_grouped_folds():
    images = plants(40, seed=3)
    groups = np.array(images.groups)
    drawn = [draw(images, {"type": "ImageFolds", "fold": fold, "grouped": True}) for fold in range(5)]
    assert all(whole(groups, sides) for sides in drawn)
    assert (np.sum([sides == "val" for sides in drawn], axis=0) == 1).all()
    shares = np.array([images.counts(sides == "val") / images.counts() for sides in drawn])
    assert np.abs(shares - 0.2).max() < 0.12


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"folds": 1}, "at least 2"),
        ({"folds": 2, "test": True}, "at least 3"),
        ({"folds": 3, "fold": 3}, "0 to 2"),
        ({"folds": 8}, "c2 has 7 images in 7 independent groups: 8 folds need one each"),
        ({"grouped": True}, "no groups"),
    ],
)
def test_impossible_folds(config, words):
    with pytest.raises(UserError, match=words):
        draw(unread(LABELS), {"type": "ImageFolds", **config})


def test_given_split():
    sides = ("train", "train", "val", "val", "test", "test", "")
    images = unread([0, 1, 0, 1, 0, 1, 0], given=sides)
    assert tuple(draw(images, {"type": "GivenSplit"})) == sides
    with pytest.raises(UserError, match="the images come without a split"):
        draw(unread(LABELS), {"type": "GivenSplit"})
    with pytest.raises(UserError, match="there are validation images already"):
        draw(images, {"type": "GivenSplit", "val": 0.2})


def test_given_split_without_validation_images():
    images = unread([0, 1] * 20 + [0, 1], given=("train",) * 40 + ("test",) * 2)
    with pytest.raises(UserError, match=r"there are no validation images.*val: 0\.2"):
        draw(images, {"type": "GivenSplit"})
    sides = draw(images, {"type": "GivenSplit", "val": 0.2})
    assert counts(images, sides, "train", "val", "test") == [[16, 16], [4, 4], [1, 1]]


def test_validation_images_from_files_that_are_all_for_training():
    images = unread([0, 1] * 20, given=("train",) * 38 + ("",) * 2)
    sides = draw(images, {"type": "GivenSplit", "val": 0.2})
    assert counts(images, sides, "train", "val", "") == [[15, 15], [4, 4], [1, 1]]
    with pytest.raises(UserError, match="the split leaks"):
        draw(unread([0, 1] * 4, given=("train",) * 6 + ("test",) * 2), {"type": "GivenSplit", "val": 0.4}, [0] * 8)


def test_a_picture_on_both_given_sides_is_refused():
    images = unread([0, 1, 0, 1], given=("train", "train", "val", "val"))
    with pytest.raises(
        UserError, match=r"the split leaks: 1 picture lies on two sides: c0/0\.png \(train\) = c0/2\.png"
    ):
        draw(images, {"type": "GivenSplit"}, units=[0, 1, 0, 2])
    with pytest.raises(UserError, match="no val image of c1"):
        draw(unread([0, 1, 0], given=("train", "train", "val")), {"type": "GivenSplit"})


def test_leaks_and_starved_classes():
    images = unread([0, 0, 1, 1, 0])
    sides = np.array(["train", "val", "train", "val", ""])
    assert check_sides(images, np.arange(5), sides) is sides
    # an image that is left out may be a copy
    refuse_leaks(images.key, np.array([0, 1, 2, 3, 0]), sides)
    with pytest.raises(UserError, match="2 pictures lie on two sides"):
        refuse_leaks(images.key, np.array([0, 0, 1, 1, 2]), sides)
    with pytest.raises(UserError, match="no train image of c1"):
        check_sides(images, np.arange(5), np.array(["train", "val", "val", "val", "train"]))


def test_dealing_is_quick_for_many_images():
    labels = np.random.default_rng(0).integers(0, 100, 200_000)
    wanted = quotas(np.bincount(labels), [Fraction(7, 10), Fraction(3, 10)], [""] * 100, ["train", "val"])
    units = np.arange(200_000)
    units[:2000:2] = units[1:2000:2]
    dealt = deal(units, labels, wanted, np.random.default_rng(0))
    assert np.array_equal(dealt[:2000:2], dealt[1:2000:2])
    assert np.abs(np.bincount(labels[dealt == 1], minlength=100) - wanted[1]).max() <= 1


MANIFEST = (
    "path,label,split\nc0/0.png,c0,train\nc1/1.png,c1,train\nc0/2.png,c0,val\nc1/3.png,c1,validation\nc0/4.png,c0,\n"
)


def test_manifest(tmp_path, monkeypatch):
    images = unread([0, 1, 0, 1, 0])
    (tmp_path / "m.csv").write_text(MANIFEST)
    for file, root in ((str(tmp_path / "m.csv"), None), ("m.csv", tmp_path)):
        sides = draw(images, {"type": "Manifest", "file": file}, root=root)
        assert tuple(sides) == ("train", "train", "val", "val", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert draw(images, {"type": "Manifest", "file": "m.csv"}, root=tmp_path / "data")[2] == "val"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("c0/4.png,c0,\n", ""), r"1 of 5 images are not listed: c0/4\.png"),
        (
            ("c0/4.png,c0,\n", "c0/4.png,c0,\nc0/4.png,c0,val\n"),
            r"m\.csv:7: c0/4\.png is listed twice, in lines 6 and 7",
        ),
        (("c0/4.png,c0,\n", "c0/4.png,c0,\nc9/9.png,c0,val\n"), r"1 listed images are not there: c9/9\.png \(line 7\)"),
        (("c0/4.png,c0,", "c0/4.png,c1,"), r"m\.csv:6: c0/4\.png is of class c0, not c1"),
        (("validation", "vall"), r"m\.csv:5, column split: unknown split 'vall'"),
        (("c0/4.png,c0,", ",c0,"), r"m\.csv:6: the column 'path' is empty"),
        (("label,split", "label,side"), "no column 'split'"),
        (("c1/3.png,c1,validation", "c1/3.png,c1,train"), "no val image of c1"),
    ],
)
def test_manifest_faults(tmp_path, change, words):
    (tmp_path / "m.csv").write_text(MANIFEST.replace(*change))
    with pytest.raises(UserError, match=words):
        draw(unread([0, 1, 0, 1, 0]), {"type": "Manifest", "file": "m.csv"}, root=tmp_path)


def test_manifest_that_leaks_and_files_that_the_recipe_leaves_out(tmp_path):
    from dataclasses import replace

    (tmp_path / "m.csv").write_text(MANIFEST + "c0/broken.png,c0,train\n")
    images = replace(
        unread([0, 1, 0, 1, 0]), root=tmp_path, paths=tuple(tmp_path / f"c{n % 2}/{n}.png" for n in range(5))
    )
    config = {"type": "Manifest", "file": "m.csv"}
    with pytest.raises(UserError, match="c0/broken"):
        draw(images, config, root=tmp_path)
    (tmp_path / "c0").mkdir()
    (tmp_path / "c0/broken.png").write_bytes(b"")
    assert draw(images, config, root=tmp_path)[0] == "train"
    with pytest.raises(UserError, match=r"the split leaks.*c0/0\.png \(train\) = c0/2\.png \(val\)"):
        draw(images, config, units=[0, 1, 0, 2, 3], root=tmp_path)


def test_plant_seedlings_thirty_percent(real_data):
    images = build("layout", {"type": "ClassFolders"}, root=str(real_data("classification/plant_seedlings"))).read()
    sides = draw(images, {"type": "Stratified"})
    assert (np.abs(images.counts(sides == "val") - 0.3 * images.counts()) < 1).all()
    assert (sides == "val").sum() == 1423
