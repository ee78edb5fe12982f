"""Loaders over a fold: the same batches, bit for bit, with any number of workers."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader

from tricklab.data.batches import EpochBatches, InOrder, Order
from tricklab.errors import UserError
from tricklab.seeds import Seeds


class Fold(Protocol):
    """Data made ready for one block."""

    sampler: Order

    def dataset(self, split: str, augment: bool | None = None) -> Any:
        """The items of a split: ``targets``, ``__len__`` and ``__getitems__`` of a batch."""
        ...


def make_loader(
    fold: Fold, split: str, batch_size: int, seeds: Seeds, workers: int = 0, train: bool = False
) -> DataLoader[dict[str, Any]]:
    """A loader of batches.

    Args:
        fold: the prepared data.
        split: ``train``, ``val`` or ``test``.
        batch_size: items per batch.
        seeds: the block's streams.
        workers: processes that gather; 0 gathers in the calling process, which is faster for windows of usual size.
        train: draw by the recipe's sampler and augment; otherwise every item once, in order, unchanged.

    Returns:
        A DataLoader whose ``batch_sampler`` (:class:`EpochBatches`) has ``set_epoch``, ``start_at``, ``order_hash``.
        It draws nothing from torch's default generator.
    """
    if workers < 0:
        raise UserError(f"workers must be 0 or more, not {workers}", where="train.workers")
    dataset = fold.dataset(split, augment=train)
    batches = EpochBatches(fold.sampler if train else InOrder(), dataset.targets.numpy(), batch_size, seeds)
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_as_it_is,
        persistent_workers=workers > 0,
        generator=torch.Generator().manual_seed(seeds.integer("workers") % 2**63),
    )


def _as_it_is(batch: Any) -> Any:
    return batch
