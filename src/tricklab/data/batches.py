"""Batches of (epoch, index, occurrence): stateless, so that any epoch can be started anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from torch.utils.data import Sampler

from tricklab.errors import UserError
from tricklab.ops.ranks import ALONE, Ranks
from tricklab.seeds import Seeds

Item = tuple[int, int, int]


class Order(Protocol):
    """What a component of kind ``sampler`` offers."""

    def order(self, targets_N: np.ndarray, epoch: int, seeds: Seeds) -> tuple[np.ndarray, np.ndarray]:
        """Item numbers of one epoch and how often each came before in it; the length is the same for every epoch."""
        ...


class InOrder:
    """Every item once, in the order of the pixels; for evaluation."""

    def order(self, targets_N: np.ndarray, epoch: int, seeds: Seeds) -> tuple[np.ndarray, np.ndarray]:
        """0 … N-1, and zeros."""
        return np.arange(len(targets_N)), np.zeros(len(targets_N), dtype=np.int64)


class EpochBatches(Sampler[list[Item]]):
    """Batch sampler whose order depends only on (seeds, epoch).

    Args:
        order: where the order comes from, a component of kind ``sampler``.
        targets_N: int64 (N,), the items' classes.
        batch_size: items per batch; the last batch of an epoch is smaller where it does not divide.
        seeds: the block's streams.

    Each iteration yields the batches of the current epoch. ``len()`` is always that of the whole epoch.
    """

    def __init__(self, order: Order, targets_N: np.ndarray, batch_size: int, seeds: Seeds) -> None:
        if batch_size < 1:
            raise UserError(f"the batch size must be at least 1, not {batch_size}", where="train.batch_size")
        self.order = order
        self.targets = np.asarray(targets_N)
        self.batch_size = batch_size
        self.seeds = seeds
        self.epoch = 0
        self._first = 0
        self._ranks = ALONE
        self._items = len(order.order(self.targets, 0, seeds)[0]) if len(self.targets) else 0

    @property
    def samples(self) -> int:
        """Items drawn per epoch."""
        return self._items

    def __len__(self) -> int:
        return -(-self._items // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields; a new epoch starts at its beginning."""
        if epoch != self.epoch:
            self._first = 0
        self.epoch = epoch

    def start_at(self, batch: int) -> None:
        """Let the next iteration, and only that, begin with batch number ``batch`` of its epoch."""
        if not 0 <= batch <= len(self):
            raise UserError(f"an epoch has {len(self)} batches; cannot start at {batch}")
        self._first = batch

    def share_among(self, ranks: Ranks) -> None:
        """Yield only this process's part of every batch; the parts of all processes in order are the batch.

        Where a batch has fewer items than there are processes, those without one get the batch's first as a stand-in.
        """
        self._ranks = ranks

    def __iter__(self) -> Iterator[list[Item]]:
        epoch, first, self._first = self.epoch, self._first, 0
        index, occurrence = self._drawn(epoch)
        for start in range(first * self.batch_size, len(index), self.batch_size):
            size = min(self.batch_size, len(index) - start)
            own = self._ranks.share(size)
            here = slice(start + own.start, start + own.stop) if own.stop > own.start else slice(start, start + 1)
            yield [(epoch, i, o) for i, o in zip(index[here].tolist(), occurrence[here].tolist(), strict=True)]

    def order_hash(self, epoch: int) -> str:
        """Hash of an epoch's whole order, 32 hex digits; the batch size does not enter."""
        index, occurrence = self._drawn(epoch)
        state = hashlib.blake2b(np.ascontiguousarray(index, dtype="<i8").tobytes(), digest_size=16)
        state.update(np.ascontiguousarray(occurrence, dtype="<i8").tobytes())
        return state.hexdigest()

    def _drawn(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        if not len(self.targets):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        index, occurrence = self.order.order(self.targets, epoch, self.seeds)
        if len(index) != self._items:
            raise UserError(
                f"{type(self.order).__name__} drew {len(index)} items in epoch {epoch} but {self._items} in epoch 0",
                where="data.sampler",
            )
        return index, occurrence
