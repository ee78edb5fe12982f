"""Items whose augmentation is decided by (epoch, index, occurrence), a whole batch at a time."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tricklab.data.draws import Draw, item_draw
from tricklab.errors import UserError
from tricklab.seeds import Seeds


@dataclass(frozen=True)
class Asked:
    """The items of one batch: int64 (N,) each."""

    epoch: np.ndarray
    index: np.ndarray
    occurrence: np.ndarray


class DrawnItems(Dataset[dict[str, Any]], abc.ABC):
    """Base of the datasets.

    ``dataset.__getitems__([(epoch, index, occurrence), …])`` gives a batch: ``image`` float32 (N, channels, H, W),
    ``target`` int64 (N,), ``index`` int64 (N,), ``drawn`` {transform: bool (N,)}; a plain index stands for
    (0, index, 0). ``dataset[3]`` is a single item, ``dataset[[3, 1]]`` a batch.

    Args:
        targets_N: int64 (N,).
        transforms: what changes the items.
        seeds: where the transforms' numbers come from; needed with transforms.
    """

    def __init__(self, targets_N: Tensor, transforms: Sequence[Any], seeds: Seeds | None) -> None:
        if transforms and seeds is None:
            raise UserError("transforms need seeds to draw from", where="data.augment")
        self.targets, self.seeds = targets_N, seeds

    @abc.abstractmethod
    def make(self, asked: Asked) -> tuple[Tensor, dict[str, Tensor]]:
        """Images of a batch, and for each transform bool (N,) that says which it changed."""

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, item: int | Sequence[Any]) -> dict[str, Any]:
        if isinstance(item, list):
            return self.__getitems__(item)
        batch = self.__getitems__([item])
        drawn = {name: flags[0] for name, flags in batch["drawn"].items()}
        return {**{key: batch[key][0] for key in ("image", "target", "index")}, "drawn": drawn}

    def __getitems__(self, items: Sequence[Any]) -> dict[str, Any]:
        """A whole batch at once."""
        table = np.asarray(items, dtype=np.int64)
        if table.ndim == 1:
            table = np.stack([np.zeros_like(table), table, np.zeros_like(table)], axis=1)
        asked = Asked(*table.T)
        images, drawn = self.make(asked)
        rows = torch.from_numpy(np.ascontiguousarray(asked.index))
        return {"image": images, "target": self.targets[rows], "index": rows, "drawn": drawn}

    def draw(self, name: str, asked: Asked) -> Draw:
        """The random numbers of one transform."""
        assert self.seeds is not None
        return item_draw(self.seeds, name, asked.epoch, asked.index, asked.occurrence)
