"""Random numbers of augmentations: each item its own, whatever batch it sits in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tricklab.seeds import Seeds

Draw = Callable[[int], np.ndarray]


def item_draw(seeds: Seeds, name: str, epoch_N: np.ndarray, index_N: np.ndarray, occurrence_N: np.ndarray) -> Draw:
    """``draw(columns)`` for one transform and the items of a batch.

    Args:
        seeds: the block's streams.
        name: the transform's name in the recipe's list.
        epoch_N: int64 (N,), the epoch in which each item was drawn.
        index_N: int64 (N,).
        occurrence_N: int64 (N,), how often the item came before in its epoch.

    Returns:
        A function that gives float64 (N, columns) in [0, 1); a second call goes on in the same streams.
    """
    calls = 0

    def draw(columns: int) -> np.ndarray:
        nonlocal calls
        out = np.empty((len(index_N), columns))
        for number in np.unique(epoch_N):
            here = epoch_N == number
            out[here] = seeds.uniforms(
                f"augment/{name}/{calls}", int(number), index_N[here], columns, occurrence_N[here]
            )
        calls += 1
        return out

    return draw


def unique_names(transforms: Sequence[Any]) -> tuple[str, ...]:
    """The class names; the second of a kind is called ``Name#2``. Other transforms in the list do not matter."""
    seen: dict[str, int] = {}
    names = []
    for transform in transforms:
        name = type(transform).__name__
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return tuple(names)
