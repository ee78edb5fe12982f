import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.scenes import blobs, real_labels, union_of_windows
from tricklab.data.leakage import measure_leakage
from tricklab.data.split import SPLITS, check_split
from tricklab.data.splits.disjoint_bands import DisjointBands
from tricklab.data.splits.regions import nearest_owner
from tricklab.errors import UserError
from tricklab.seeds import Seeds


@given(
    seed=st.integers(0, 2**32),
    train=st.sampled_from([0.05, 0.1, 0.3]),
    val=st.sampled_from([0.0, 0.1]),
    angle=st.sampled_from([None, 0.0, 45.0, 90.0, 200.0]),
    offset=st.sampled_from([None, 0.0, 0.4, 1.0]),
    window=st.sampled_from([1, 3, 7]),
)
@settings(max_examples=40, deadline=None)
def test_partition_shares_and_no_window_reads_across(seed, train, val, angle, offset, window):
    labels = blobs(np.random.default_rng(seed), 22, 19, 3)
    split = DisjointBands(train, val, angle, offset).draw(labels, Seeds(seed, 0))
    check_split(split, labels)
    assert np.array_equal(split.train | split.val | split.test, labels >= 0)
    sizes = np.bincount(labels[labels >= 0])
    for mask, part in ((split.train, train), (split.val, val)):
        expected = np.maximum(np.floor(part * sizes + 1e-9), 1 if part else 0)
        assert np.array_equal(np.bincount(labels[mask], minlength=3), expected)
    read = [union_of_windows(split, name, window) for name in SPLITS]
    assert sum(map(len, read)) == len(set.union(*read))


def test_classic_is_the_first_rows_of_each_class():
    labels = np.full((10, 10), -1)
    labels[:, :5], labels[2:8, 5:] = 0, 1
    split = DisjointBands(0.2, angle=0.0, offset=0.0).draw(labels, Seeds(0, 0))
    assert np.array_equal(np.argwhere(split.train & (labels == 0)), [[r, c] for r in range(2) for c in range(5)])
    assert set(np.nonzero(split.train & (labels == 1))[0]) == {2, 3}
    across = DisjointBands(0.2, angle=90.0, offset=0.0).draw(labels, Seeds(0, 0))
    assert set(np.nonzero(across.train & (labels == 0))[1]) == {0}
    last = DisjointBands(0.2, angle=0.0, offset=1.0).draw(labels, Seeds(0, 0))
    assert set(np.nonzero(last.train & (labels == 0))[0]) == {8, 9}


def test_direction_and_offset_are_drawn_per_block_and_pinning_one_leaves_the_other():
    labels = blobs(np.random.default_rng(0), 30, 30, 3)
    drawn = [DisjointBands().draw(labels, Seeds(0, block)) for block in (0, 0, 1)]
    assert drawn[0].digest() == drawn[1].digest() != drawn[2].digest()
    pinned = DisjointBands(offset=0.0).draw(labels, Seeds(0, 0))
    assert pinned.facts["angle"] == drawn[0].facts["angle"]
    assert drawn[0].facts["redrawn"] == 0


def test_unlabelled_pixels_belong_to_the_nearest_labelled_one():
    owner = np.full((5, 9), -1, dtype=np.int8)
    owner[2, 0], owner[2, 8] = 0, 2
    region = nearest_owner(owner)
    assert (region[:, :4] == 0).all()
    assert (region[:, 5:] == 2).all()


@pytest.mark.parametrize(
    ("file", "key"),
    [("indian_pines/Indian_pines_gt.mat", "indian_pines_gt"), ("gt_maps/Botswana_gt.mat", "Botswana_gt")],
)
def test_real_maps_leak_nothing(real_data, file, key):
    labels = real_labels(real_data(f"hsi/{file}"), key)
    split = DisjointBands().draw(labels, Seeds(0, 0))
    figures = measure_leakage(split, 25)
    assert (figures.centre_share, figures.touch_share, figures.covered_share) == (0, 0, 0)
    sizes = np.bincount(labels[labels >= 0])
    assert np.array_equal(np.bincount(labels[split.train]), np.maximum(sizes // 10, 1))


def test_without_the_cut_the_same_pixels_would_leak(real_data):
    """The region map is what keeps the windows apart, and the figure is computed, not assumed."""
    from dataclasses import replace

    labels = real_labels(real_data("hsi/salinas_a/SalinasA_gt.mat"), "salinasA_gt")
    split = DisjointBands(angle=0.0, offset=0.0).draw(labels, Seeds(0, 0))
    uncut = measure_leakage(replace(split, region=None), 15)
    assert uncut.touch_share > 0.3
    assert measure_leakage(split, 15).touch_share == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"train": 0.0}, "more than 0"),
        ({"train": 0.5, "val": 0.5}, "no test pixel"),
        ({"offset": 1.2}, "between 0 and 1"),
        ({"angle": float("nan")}, "no direction"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(UserError, match=words):
        DisjointBands(**arguments)


def test_a_class_too_small_is_named():
    labels = np.zeros((6, 6), dtype=np.int64)
    labels[0, 0] = 1
    with pytest.raises(UserError, match=r"Oats has 1 pixel\(s\)"):
        DisjointBands(class_names=("Corn", "Oats")).draw(labels, Seeds(0, 0))
