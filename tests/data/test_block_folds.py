import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.scenes import real_labels, union_of_windows
from tricklab.data.leakage import measure_leakage
from tricklab.data.neighbourhoods import chebyshev_distance
from tricklab.data.split import check_split
from tricklab.data.splits.block_folds import BlockFolds
from tricklab.data.splits.redraw import draw_until_fed
from tricklab.errors import UserError
from tricklab.seeds import Seeds


def confetti(seed, side=48, classes=3):
    rng = np.random.default_rng(seed)
    return rng.integers(-1, classes, (side, side))


@given(seed=st.integers(0, 2**32), size=st.sampled_from([8, 12]), window=st.sampled_from([1, 3, 5]), val=st.booleans())
@settings(max_examples=25, deadline=None)
def test_folds_partition_and_the_guard_keeps_windows_apart(seed, size, window, val):
    labels = confetti(seed)
    tested = np.zeros(labels.shape, dtype=int)
    for fold in range(4):
        split = BlockFolds(size, 4, fold, val=val, window=window).draw(labels, Seeds(seed, 0))
        check_split(split, labels)
        tested += split.test
        assert measure_leakage(split, window).touch_share == 0
        if val:
            assert measure_leakage(split, window, "val").touch_share == 0
            assert not union_of_windows(split, "val", window) & union_of_windows(split, "test", window)
    assert np.array_equal(tested == 1, labels >= 0)


def test_the_guard_is_the_smallest_that_works_and_drops_no_more():
    labels = confetti(0, classes=2)
    window = 5
    split = BlockFolds(12, 4, 0, window=window).draw(labels, Seeds(0, 0))
    assert split.facts["guard"] == window - 1
    distance = chebyshev_distance(split.test)
    dropped = (labels >= 0) & ~split.train & ~split.test
    assert dropped.sum() == split.facts["guarded_train_pixels"] > 0
    assert distance[dropped].max() == window - 1
    assert distance[split.train].min() == window
    thinner = BlockFolds(12, 4, 0, guard=window - 2, window=window).draw(labels, Seeds(0, 0))
    assert measure_leakage(thinner, window).touch_share > 0


def test_real_map_with_a_guard(real_data):
    labels = real_labels(real_data("hsi/salinas_a/SalinasA_gt.mat"), "salinasA_gt")
    split = BlockFolds(16, window=15).draw(labels, Seeds(0, 0))
    assert measure_leakage(split, 15).touch_share == 0
    for mask in (split.train, split.test):
        assert (np.bincount(labels[mask], minlength=6) > 0).all()


def test_starving_draws_are_redrawn_and_counted():
    """One class in one corner: most draws give it to one side only."""
    labels = np.zeros((48, 48), dtype=np.int64)
    labels[20:28, 20:28] = 1
    redrawn = [BlockFolds(12, 4, window=1).draw(labels, Seeds(0, block)).facts["redrawn"] for block in range(12)]
    assert max(redrawn) > 0
    assert min(redrawn) == 0


def test_never_fed_is_an_error_that_names_class_and_split():
    labels = np.zeros((48, 48), dtype=np.int64)
    labels[0, :3] = 1
    with pytest.raises(UserError, match=r"in each of 100 draws.*no (train|test) pixel of Oats"):
        BlockFolds(12, 4, 0, window=5, class_names=("Corn", "Oats")).draw(labels, Seeds(0, 0))


def test_nothing_random_is_tried_once():
    labels = confetti(0, classes=2)
    calls = []

    def draw(attempt):
        calls.append(attempt)
        split = BlockFolds(12, 4, 0, window=1).draw(labels, Seeds(0, 0))
        return [type(split)(split.train & (labels == 0), split.val, split.test)]

    with pytest.raises(UserError, match="with these settings: no train pixel of class 1"):
        draw_until_fed(draw, labels, (), wanted=("train",), random=False, fix="x")
    assert calls == [0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": 0}, "blocks of side 0"),
        ({"folds": 1}, "at least 2"),
        ({"folds": 2, "val": True}, "at least 3"),
        ({"fold": 5}, "0 to 4"),
        ({"guard": -1}, "0 or more"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(UserError, match=words):
        BlockFolds(**arguments, window=3)


def test_too_few_blocks():
    with pytest.raises(UserError, match="too few for 5 folds"):
        BlockFolds(64, window=1).draw(confetti(0, side=20), Seeds(0, 0))
