"""The same number of draws for every class."""

from __future__ import annotations

import numpy as np

from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("sampler")
class ClassBalanced:
    """The same number of draws an epoch for every class; small classes repeat, large ones rotate.

    A class is dealt like a deck of cards: all of its pixels come once before any comes again. Classes without a
    training pixel get no draws.

    Args:
        samples: draws per epoch; null takes as many as there are training pixels.
    """

    def __init__(self, samples: int | None = None) -> None:
        if samples is not None and samples < 1:
            raise UserError(f"samples must be at least 1, not {samples}", where="data.sampler.samples")
        self.samples = samples

    def order(self, targets_N: np.ndarray, epoch: int, seeds: Seeds) -> tuple[np.ndarray, np.ndarray]:
        """The order of one epoch: item numbers int64 (M,), and how often each came before in this epoch."""
        if targets_N.ndim != 1:
            raise UserError("a mask is of many classes at once", where="data.sampler", fix="take RareClassCrops")
        rng = seeds.numpy("order", epoch)
        total = len(targets_N) if self.samples is None else self.samples
        classes = np.unique(targets_N)
        quota = np.full(len(classes), total // len(classes))
        quota[rng.permutation(len(classes))[: total % len(classes)]] += 1
        drawn, repeats = [], []
        for number, wanted in zip(classes, quota, strict=True):
            members = np.flatnonzero(targets_N == number)
            rounds = -(-int(wanted) // len(members))
            decks = rng.permuted(np.tile(members, (rounds, 1)), axis=1).ravel()[:wanted]
            drawn.append(decks)
            repeats.append(np.arange(wanted) // len(members))
        mixed = rng.permutation(total)
        index, occurrence = np.concatenate(drawn)[mixed], np.concatenate(repeats)[mixed]
        return index.astype(np.int64), occurrence.astype(np.int64)
