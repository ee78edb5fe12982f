"""Windows gathered on the fly: a whole batch in one indexing call, never all windows in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tricklab.data.draws import Draw, item_draw, unique_names
from tricklab.data.padding import check_window
from tricklab.errors import UserError
from tricklab.ops.windows import gather_windows
from tricklab.seeds import Seeds


class WindowTransform(Protocol):
    """What a component of kind ``transform`` offers."""

    def __call__(self, images_NBSS: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Change a batch of windows.

        Args:
            images_NBSS: float32 (N, bands, S, S); may be changed in place.
            draw: ``draw(columns)`` gives float64 (N, columns) in [0, 1), each item's own numbers whatever the batch;
                a second call goes on in the same streams.

        Returns:
            The windows, and bool (N,) that says which were changed.
        """
        ...


class WindowDataset(Dataset[dict[str, Any]]):
    """Windows around given pixels of a padded cube.

    An item is a pixel. ``dataset[[3, 1]]`` and ``dataset.__getitems__([3, 1])`` give a batch: ``image`` float32
    (N, bands, S, S), ``target`` int64 (N,), ``index`` int64 (N,), ``drawn`` {transform: bool (N,)}. An item may also be
    (epoch, index, occurrence), which decides its augmentation; a plain index stands for (0, index, 0).

    Args:
        cube_BHW: padded cube, float32 (bands, height + S - 1, width + S - 1).
        centres_N2: int64 (N, 2), rows and columns in the scene.
        targets_N: int64 (N,).
        window: S, odd.
        transforms: applied in order to each batch.
        seeds: where the transforms' numbers come from; needed with transforms.
    """

    def __init__(
        self,
        cube_BHW: Tensor,
        centres_N2: Tensor,
        targets_N: Tensor,
        window: int,
        transforms: Sequence[WindowTransform] = (),
        seeds: Seeds | None = None,
    ) -> None:
        check_window(window)
        assert len(centres_N2) == len(targets_N)
        if transforms and seeds is None:
            raise UserError("transforms need seeds to draw from", where="data.augment")
        self.cube = cube_BHW
        self.centres = centres_N2
        self.targets = targets_N
        self.window = window
        self.transforms = tuple(transforms)
        self.names = unique_names(self.transforms)
        self.seeds = seeds

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, item: int | Sequence[Any]) -> dict[str, Any]:
        if isinstance(item, list):
            return self.__getitems__(item)
        batch = self.__getitems__([item])
        drawn = {name: flags[0] for name, flags in batch["drawn"].items()}
        return {"image": batch["image"][0], "target": batch["target"][0], "index": batch["index"][0], "drawn": drawn}

    def __getitems__(self, items: Sequence[Any]) -> dict[str, Any]:
        """A whole batch at once."""
        table = np.asarray(items, dtype=np.int64)
        if table.ndim == 1:
            table = np.stack([np.zeros_like(table), table, np.zeros_like(table)], axis=1)
        epoch, index, occurrence = table.T
        rows = torch.from_numpy(np.ascontiguousarray(index))
        images = gather_windows(self.cube, self.centres[rows], self.window)
        drawn: dict[str, Tensor] = {}
        for name, transform in zip(self.names, self.transforms, strict=True):
            assert self.seeds is not None
            draw = item_draw(self.seeds, name, epoch, index, occurrence)
            images, drawn[name] = transform(images, draw)
        return {"image": images.contiguous(), "target": self.targets[rows], "index": rows, "drawn": drawn}
