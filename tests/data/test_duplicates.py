import itertools
import shutil
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import class_tree, picture, save
from tricklab.data import duplicates as module
from tricklab.data.duplicates import find_duplicates, join_units
from tricklab.data.image_list import ImageList
from tricklab.data.image_survey import Survey, survey_images, thumbnail_and_hash
from tricklab.data.layouts.class_folders import ClassFolders
from tricklab.errors import UserError


def read(root):
    images = ClassFolders(root=str(root)).read()
    return images, [images.key(number) for number in range(len(images))]


def names(keys, groups):
    return [[keys[number] for number in group] for group in groups]


def test_byte_identical_and_near_identical_pictures_become_units(tmp_path):
    class_tree(tmp_path, {"a": 6, "b": 6})
    shutil.copy(tmp_path / "a/0.png", tmp_path / "a/copy.png")
    big = Image.fromarray(picture(1)).resize((160, 120), Image.Resampling.BICUBIC)
    save(tmp_path / "a/big.jpg", big, quality=80)
    shutil.copy(tmp_path / "a/big.jpg", tmp_path / "a/big2.jpg")
    images, keys = read(tmp_path)
    found = find_duplicates(images)
    assert names(keys, found.identical) == [["a/0.png", "a/copy.png"], ["a/big.jpg", "a/big2.jpg"]]
    assert names(keys, found.near) == [["a/1.png", "a/big.jpg", "a/big2.jpg"]]
    assert found.contradictions == ()
    assert found.facts()["units"] == 15 - 3
    same = {keys[number]: int(unit) for number, unit in enumerate(found.units)}
    assert same["a/0.png"] == same["a/copy.png"] == 0
    assert same["a/1.png"] == same["a/big.jpg"] == same["a/big2.jpg"]
    assert len(set(same.values())) == 12
    exact = find_duplicates(images, similarity=1.1)
    assert exact.near == ()
    assert exact.facts()["units"] == 13
    found.check_labels(images)


def test_the_same_picture_under_two_labels(tmp_path):
    class_tree(tmp_path, {"a": 4, "b": 4})
    shutil.copy(tmp_path / "a/2.png", tmp_path / "b/x.png")
    save(tmp_path / "b/y.png", np.minimum(picture(0).astype(int) + 3, 255).astype(np.uint8))
    images, keys = read(tmp_path)
    found = find_duplicates(images)
    assert names(keys, found.contradictions) == [["a/0.png", "b/y.png"], ["a/2.png", "b/x.png"]]
    with pytest.raises(UserError, match=r"2 pictures under more than one label: a/0.png \(a\) = b/y.png \(b\); a/2"):
        found.check_labels(images)


def survey_of(hashes, thumbnails):
    count = len(hashes)
    return Survey(np.ones((count, 2), np.int64), thumbnails, hashes, None, {})


def in_memory(count):
    pixels = np.random.default_rng(9).integers(0, 256, (count, 2, 2, 3), dtype=np.uint8)
    labels = np.zeros(count, dtype=np.int64)
    return ImageList((None,) * count, labels, ("a", "b"), "m", pixels=pixels, names=tuple(map(str, range(count))))


@pytest.mark.parametrize("rows", [1024, 3])
def test_pairs_are_those_of_all_comparisons(monkeypatch, rows):
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", rows)
    rng = np.random.default_rng(4)
    hashes = rng.integers(0, 2**63, 6, dtype=np.uint64)[rng.integers(6, size=80)]
    flip = rng.random(80) < 0.4
    hashes[flip] ^= np.uint64(1) << rng.integers(0, 64, flip.sum()).astype(np.uint64)
    base = rng.integers(0, 256, (3, 32, 32))[rng.integers(3, size=80)]
    thumbnails = np.clip(base + rng.normal(0, rng.choice([2, 25], 80)[:, None, None], base.shape), 0, 255).astype(
        np.uint8
    )
    images = in_memory(80)
    found = find_duplicates(images, survey_of(hashes, thumbnails))
    left, right = [], []
    for one, other in itertools.combinations(range(80), 2):
        a, b = (thumbnails[number].ravel().astype(float) for number in (one, other))
        if bin(int(hashes[one] ^ hashes[other])).count("1") <= 1 and np.corrcoef(a, b)[0, 1] >= 0.98:
            left.append(one)
            right.append(other)
    assert len(left) > 20
    assert np.array_equal(found.units, join_units(np.arange(80), 80, np.array(left), np.array(right)))
    assert 12 < found.facts()["units"] < 80


def test_frames_of_a_still_video_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 128)
    monkeypatch.setattr(module, "_MOST_PAIRS", 1 << 14)
    count, rng = 1200, np.random.default_rng(0)
    base = rng.integers(0, 250, (2, 32, 32))[np.arange(count) % 2]
    thumbnails = (base + rng.integers(0, 4, (count, 32, 32))).astype(np.uint8)
    hashes = np.full(count, 7, np.uint64)
    hashes[::3] ^= np.uint64(8)
    tracemalloc.start()
    found = find_duplicates(in_memory(count), survey_of(hashes, thumbnails))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(found.units, np.arange(count) % 2)
    # all pairs would be 16 bytes × 360,000 one way, and are needed several times over
    assert peak < 5e6


def test_pictures_of_one_grey_level_are_like_nothing_else():
    pixels = np.repeat(np.arange(6, dtype=np.uint8) * 40, 4 * 4 * 3).reshape(6, 4, 4, 3)
    pixels[5] = pixels[4]
    labels = np.zeros(6, dtype=np.int64)
    images = ImageList((None,) * 6, labels, ("a", "b"), "m", pixels=pixels, names=tuple("abcdef"))
    found = find_duplicates(images)
    assert found.identical == ((4, 5),)
    assert found.near == ()


def test_the_hash_is_the_one_that_is_described():
    pixels = picture(5, 80, 90)
    small = np.asarray(Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.BILINEAR)).astype(int)
    bits = [int(small[row, column + 1] > small[row, column]) for row in range(8) for column in range(8)]
    thumbnail, value = thumbnail_and_hash(pixels)
    assert value == sum(bit << place for place, bit in enumerate(bits))
    assert thumbnail.shape == (32, 32)
    assert 0 < sum(bits) < 64


def test_units_are_numbered_by_first_appearance():
    none = np.zeros(0, dtype=np.int64)
    assert join_units(np.array([9, 3, 9, 1]), 4, none, none).tolist() == [0, 1, 0, 2]
    assert join_units(np.arange(5), 5, np.array([4, 3]), np.array([0, 4])).tolist() == [0, 1, 2, 0, 0]


def test_unreadable_images_are_like_nothing(tmp_path):
    class_tree(tmp_path, {"a": 3, "b": 3})
    for name in ("a/x.png", "b/y.png"):
        (tmp_path / name).write_bytes(b"nothing")
    images, _ = read(tmp_path)
    found = find_duplicates(images, survey_images(images, unreadable="skip"))
    assert found.facts()["units"] == 8
    with pytest.raises(UserError, match="2 of 8 images cannot be read"):
        find_duplicates(images)


@pytest.mark.slow
def test_plant_seedlings(real_data):
    images, keys = read(real_data("classification/plant_seedlings"))
    found = find_duplicates(images)
    assert [set(group) for group in names(keys, found.identical)] == [
        {f"Common_wheat/{name}.jpg" for name in ("629176d9d", "78e98a1ea", "91f32c678")},
        {f"Sugar_beet/{name}.jpg" for name in ("4fd1fe7ac", "9af73f331")},
    ]
    assert found.contradictions == ()
    assert found.facts() == {
        "images": 4750, "units": 4723, "identical_groups": 2, "identical_images": 5, "near_groups": 24,
        "near_images": 48, "contradictions": 0,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("quality", "scale"), [(75, 1.0), (90, 0.5), (90, 1.3)])
def test_most_saved_again_pictures_are_found(real_data, tmp_path, quality, scale):
    files = sorted(real_data("classification/plant_seedlings").rglob("*.jpg"))[::24]
    for number, file in enumerate(files):
        shutil.copy(file, save(tmp_path / f"a/{number}.jpg", picture(0)))
        image = Image.open(file)
        smaller = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
        save(tmp_path / f"b/{number}.jpg", smaller, quality=quality)
    found = find_duplicates(read(tmp_path)[0])
    assert len(found.contradictions) >= 0.9 * len(files)


def test_a_survey_takes_little_more_memory_than_what_it_keeps():
    count = 1500
    images = in_memory(count)
    survey_images(images.take(np.arange(3)), threads=2)
    tracemalloc.start()
    found = survey_images(images, threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept = found.thumbnails.nbytes + found.hashes.nbytes + sum(item.nbytes for item in vars(found.moments).values())
    assert kept > 1000 * count
    assert peak < 1.3 * kept
    assert found.moments.sums[7].tolist() == images.pixels[7].sum(axis=(0, 1)).tolist()
