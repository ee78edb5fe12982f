import numpy as np
import pytest

from tricklab.data.batches import EpochBatches, InOrder
from tricklab.data.class_balanced import ClassBalanced
from tricklab.data.shuffle import Shuffle
from tricklab.errors import UserError
from tricklab.seeds import Seeds

TARGETS = np.repeat([0, 1, 3], [50, 7, 3])


def batches(order=None, size=8, block=0):
    return EpochBatches(order or Shuffle(), TARGETS, size, Seeds(0, block))


def test_every_item_once_and_another_order_each_epoch_and_block():
    sampler = batches()
    first = [item for batch in sampler for item in batch]
    assert sorted(index for _, index, _ in first) == list(range(60))
    assert {(epoch, occurrence) for epoch, _, occurrence in first} == {(0, 0)}
    assert [len(batch) for batch in sampler] == [8] * 7 + [4]
    assert len(sampler) == 8
    assert [item for batch in sampler for item in batch] == first
    sampler.set_epoch(1)
    second = [item for batch in sampler for item in batch]
    assert [i for _, i, _ in second] != [i for _, i, _ in first]
    assert second[0][0] == 1
    assert batches(block=1).order_hash(0) != sampler.order_hash(0)


def test_any_epoch_can_be_started_anywhere_without_the_ones_before():
    whole = batches()
    whole.set_epoch(5)
    everything = list(whole)
    resumed = batches()
    resumed.set_epoch(5)
    resumed.start_at(3)
    assert len(resumed) == 8
    resumed.set_epoch(5)  # a training loop may say it again
    assert list(resumed) == everything[3:]
    assert list(resumed) == everything
    resumed.start_at(3)
    resumed.set_epoch(6)
    assert len(list(resumed)) == 8
    resumed.start_at(8)
    assert list(resumed) == []
    with pytest.raises(UserError, match="8 batches"):
        resumed.start_at(9)


def test_the_hash_is_of_the_order_and_not_of_the_batch_size():
    small, large = batches(size=4), batches(size=30)
    assert small.order_hash(2) == large.order_hash(2) != small.order_hash(3)
    order = [index for index, _ in zip(*Shuffle().order(TARGETS, 2, Seeds(0, 0)), strict=True)]
    small.set_epoch(2)
    assert [i for batch in small for _, i, _ in batch] == order


def test_in_order_for_evaluation():
    assert [i for batch in batches(InOrder()) for _, i, _ in batch] == list(range(60))


@pytest.mark.parametrize("samples", [None, 30, 100])
def test_class_balanced_deals_classes_equally_and_pixels_like_cards(samples):
    index, occurrence = ClassBalanced(samples).order(TARGETS, 0, Seeds(0, 0))
    total = samples or 60
    assert len(index) == total
    counts = np.bincount(TARGETS[index], minlength=4)
    assert counts[2] == 0
    assert max(counts[[0, 1, 3]]) - min(counts[[0, 1, 3]]) <= 1
    pixels = np.bincount(index, minlength=60)
    for number in (0, 1, 3):
        dealt = pixels[number == TARGETS]
        assert dealt.max() - dealt.min() <= 1
    assert len(set(zip(index.tolist(), occurrence.tolist(), strict=True))) == total
    assert np.array_equal(np.bincount(index, minlength=60)[index] > 1, np.isin(index, index[occurrence > 0]))
    assert not np.array_equal(index, ClassBalanced(samples).order(TARGETS, 1, Seeds(0, 0))[0])


def test_bad_sizes():
    with pytest.raises(UserError, match="batch size"):
        batches(size=0)
    with pytest.raises(UserError, match="samples"):
        ClassBalanced(0)


def test_an_order_whose_length_changes_is_refused():
    class Odd:
        def order(self, targets, epoch, seeds):
            return np.arange(epoch + 1), np.zeros(epoch + 1, dtype=np.int64)

    sampler = batches(Odd())
    sampler.set_epoch(2)
    with pytest.raises(UserError, match="Odd drew 3 items in epoch 2 but 1 in epoch 0"):
        list(sampler)


def test_nothing_to_draw():
    empty = EpochBatches(Shuffle(), np.zeros(0, dtype=np.int64), 4, Seeds(0, 0))
    assert len(empty) == 0
    assert list(empty) == []
