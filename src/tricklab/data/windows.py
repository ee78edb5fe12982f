"""Windows gathered on the fly: a whole batch in one indexing call, never all windows in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from tricklab.data.drawn_items import Asked, DrawnItems
from tricklab.data.draws import Draw, unique_names
from tricklab.data.padding import check_window
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


class WindowDataset(DrawnItems):
    """Windows around given pixels of a padded cube, as batches that :class:`DrawnItems` describes.

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
        super().__init__(targets_N, transforms, seeds)
        self.cube, self.centres, self.window = cube_BHW, centres_N2, window
        self.transforms = tuple(transforms)
        self.names = unique_names(self.transforms)

    def make(self, asked: Asked) -> tuple[Tensor, dict[str, Tensor]]:
        """Windows (N, bands, S, S), and what changed them."""
        centres = self.centres[torch.from_numpy(np.ascontiguousarray(asked.index))]
        images = gather_windows(self.cube, centres, self.window)
        drawn: dict[str, Tensor] = {}
        for name, transform in zip(self.names, self.transforms, strict=True):
            images, drawn[name] = transform(images, self.draw(name, asked))
        return images.contiguous(), drawn
