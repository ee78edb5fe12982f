import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from tests.data.scenes import blobs, real_labels
from tricklab.data.split import check_split
from tricklab.data.splits.random_pixels import RandomPixels
from tricklab.data.splits.shares import rounded_down
from tricklab.errors import UserError
from tricklab.seeds import Seeds


@pytest.mark.parametrize(
    ("file", "key", "share", "sizes"),
    [
        ("indian_pines/Indian_pines_gt.mat", "indian_pines_gt", 0.1, (1024, 9225)),
        ("indian_pines/Indian_pines_gt.mat", "indian_pines_gt", 0.3, (3074, 7175)),
        ("gt_maps/PaviaU_gt.mat", "paviaU_gt", 0.3, (12832, 29944)),
        ("gt_maps/Salinas_gt.mat", "salinas_gt", 0.3, (16238, 37891)),
    ],
)
def test_published_sizes(real_data, file, key, share, sizes):
    labels = real_labels(real_data(f"hsi/{file}"), key)
    split = RandomPixels(share).draw(labels, Seeds(0, 0))
    assert (split.train.sum(), split.test.sum()) == sizes
    targets = labels[labels >= 0]
    _, test = train_test_split(targets, test_size=round(1 - share, 12), stratify=targets, random_state=345)
    assert np.array_equal(np.bincount(labels[split.test]), np.bincount(test))


@given(
    seed=st.integers(0, 2**32), share=st.sampled_from([0.05, 0.1, 0.29, 0.5, 0.7]), val=st.sampled_from([0.0, 0.1, 0.2])
)
@settings(max_examples=40, deadline=None)
def test_partition_and_stratification(seed, share, val):
    labels = blobs(np.random.default_rng(seed), 40, 36, 4, smallest=20)
    split = RandomPixels(share, val).draw(labels, Seeds(seed, 0))
    check_split(split, labels)
    assert np.array_equal(split.train | split.val | split.test, labels >= 0)
    count = int((labels >= 0).sum())
    assert split.train.sum() == rounded_down(share, count)
    assert split.val.sum() == rounded_down(val, count)
    sizes = np.bincount(labels[labels >= 0])
    for mask, part in ((split.train, share), (split.val, val)):
        assert (np.abs(np.bincount(labels[mask], minlength=4) - part * sizes) <= 1.5).all()


def test_the_same_block_gives_the_same_split_and_another_block_another():
    labels = blobs(np.random.default_rng(0), 30, 30, 3)
    first, again, other = (RandomPixels(0.2, 0.1).draw(labels, Seeds(0, block)) for block in (0, 0, 1))
    assert first.digest() == again.digest()
    assert first.digest() != other.digest()


def test_pixels_per_class():
    labels = blobs(np.random.default_rng(0), 30, 30, 3, smallest=30)
    split = RandomPixels(20, 5).draw(labels, Seeds(0, 0))
    check_split(split, labels)
    assert np.bincount(labels[split.train]).tolist() == [20, 20, 20]
    assert np.bincount(labels[split.val]).tolist() == [5, 5, 5]
    assert np.array_equal(split.train | split.val | split.test, labels >= 0)


@pytest.mark.parametrize(
    ("share", "count", "expected"), [(0.1, 10249, 1024), (0.29, 100, 29), (0.7, 10, 7), (0.07, 100, 7)]
)
def test_rounding_takes_the_share_as_written(share, count, expected):
    assert rounded_down(share, count) == expected


def test_classes_without_a_training_pixel_are_refused_by_name():
    labels = np.zeros((20, 20), dtype=np.int64)
    labels[0, :2], labels[1, :3] = 1, 2
    split = RandomPixels(0.05).draw(labels, Seeds(0, 0))
    names = ("Corn", "Oats (id 9)", "Hay")
    with pytest.raises(UserError, match=r"no training pixel of 2 of the 3 classes \(Oats \(id 9\): 2 .*, Hay: 3 "):
        check_split(split, labels, names)
    check_split(RandomPixels(1).draw(labels, Seeds(0, 0)), labels, names)


@pytest.mark.parametrize(("share", "starved"), [(0.01, [6, 8]), (0.02, [8]), (0.03, [])])
def test_small_shares_of_indian_pines_starve_grass_mowed_and_oats(real_data, share, starved):
    labels = real_labels(real_data("hsi/indian_pines/Indian_pines_gt.mat"), "indian_pines_gt")
    split = RandomPixels(share).draw(labels, Seeds(0, 0))
    if not starved:
        check_split(split, labels)
        return
    with pytest.raises(UserError) as caught:
        check_split(split, labels)
    assert all(f"class {number}: " in str(caught.value) for number in starved)
    assert f"{len(starved)} of the 16 classes" in str(caught.value)


def one_pixel():
    labels = np.zeros((10, 10), dtype=np.int64)
    labels[3, 4] = 1
    return labels


@pytest.mark.parametrize(
    ("arguments", "labels", "words"),
    [
        ({"train": 0.1}, one_pixel(), r"Oats \(id 9\) has one pixel.*data\.ignore"),
        ({"train": 5}, one_pixel(), r"Oats \(id 9\) has one pixel"),
        ({"train": 1.5}, one_pixel(), "below 1"),
        ({"train": 0.0}, one_pixel(), "more than 0"),
        ({"train": 0.6, "val": 0.4}, one_pixel(), "no test pixel"),
        ({"train": 0.1, "val": 5}, one_pixel(), "both as shares"),
        ({"train": 5, "val": 0.1}, one_pixel(), "both as shares"),
        ({"train": 0.01}, np.arange(100).reshape(10, 10) % 2, "1 train pixels cannot hold 2 classes"),
        ({"train": 0.99}, np.arange(100).reshape(10, 10) % 2, "1 test pixels cannot hold 2 classes"),
        ({"train": 0.5, "val": 0.49}, np.arange(100).reshape(10, 10) % 2, "1 test pixels cannot hold 2 classes"),
        ({"train": 0}, one_pixel(), "0 training"),
    ],
)
def test_impossible(arguments, labels, words):
    with pytest.raises(UserError, match=words):
        RandomPixels(**arguments, class_names=("Corn", "Oats (id 9)")).draw(labels, Seeds(0, 0))
