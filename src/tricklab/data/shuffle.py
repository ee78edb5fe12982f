"""Every training pixel once an epoch, in a new order each time."""

from __future__ import annotations

import numpy as np

from tricklab.registry import component
from tricklab.seeds import Seeds


@component("sampler")
class Shuffle:
    """Every training pixel once an epoch, in random order."""

    def order(self, targets_N: np.ndarray, epoch: int, seeds: Seeds) -> tuple[np.ndarray, np.ndarray]:
        """The order of one epoch.

        Args:
            targets_N: int64 (N,) classes of the items.
            epoch: number of the epoch; the same (epoch, seeds) gives the same order.

        Returns:
            Item numbers int64 (M,), and how often each came before in this epoch (zeros here).
        """
        index = seeds.numpy("order", epoch).permutation(len(targets_N)).astype(np.int64)
        return index, np.zeros_like(index)
