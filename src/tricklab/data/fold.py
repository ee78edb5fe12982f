"""A scene made ready for one block: split, projected, padded; windows are cut when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tricklab.data.batches import Order
from tricklab.data.labels import LabelMap
from tricklab.data.padding import pad_cube
from tricklab.data.scene import Scene
from tricklab.data.split import SPLITS, Split
from tricklab.data.windows import WindowDataset, WindowTransform
from tricklab.errors import UserError, nearest
from tricklab.seeds import Seeds


@dataclass
class HyperspectralFold:
    """Everything that a task needs of a scene for one block.

    Args:
        scene: what the files hold.
        label_map: classes 0 … K-1 and their ids and names.
        split: the pixels of train, val and test.
        planes: projected cube, float32 (bands, height, width); zero where there is no measurement.
        window: side of the windows.
        padding: ``zero`` or ``reflect``.
        sampler: the order of training.
        transforms: augmentation of training windows.
        seeds: the block's streams.
        fitted: what was learned from data, as plain arrays and lists.
        leakage: the leakage figures of the evaluated splits.
        facts: the facts that a run records, by their recorded names.
        digest: {split: hash of the values and labels it uses}.
    """

    scene: Scene
    label_map: LabelMap
    split: Split
    planes: np.ndarray
    window: int
    padding: str
    sampler: Order
    transforms: Sequence[WindowTransform]
    seeds: Seeds
    fitted: dict[str, Any]
    leakage: dict[str, Any]
    facts: dict[str, Any]
    digest: dict[str, str]
    _padded: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the network's outputs."""
        return self.label_map.names

    @property
    def label_ids(self) -> tuple[int, ...]:
        """The label id in the file of each class."""
        return self.label_map.ids

    @property
    def labels(self) -> np.ndarray:
        """int64 (height, width) in 0 … K-1, -1 where there is no label."""
        return self.label_map.labels

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.labels.shape  # type: ignore[return-value]

    @property
    def bands(self) -> int:
        """Channels of a window."""
        return len(self.planes)

    @cached_property
    def centres(self) -> dict[str, Tensor]:
        """{split: int64 (N, 2)} rows and columns, in reading order."""
        return {name: torch.from_numpy(np.argwhere(self.split.mask(name)).astype(np.int64)) for name in SPLITS}

    @cached_property
    def targets(self) -> dict[str, Tensor]:
        """{split: int64 (N,)} classes, in the order of ``centres``."""
        return {name: torch.from_numpy(self.labels[self.split.mask(name)]) for name in SPLITS}

    def cube_for(self, split: str) -> Tensor:
        """The padded cube that windows of a split read.

        Where the split cuts the scene apart, pixels outside the split's region are zero, so no window reads across.

        Returns:
            float32 (bands, height + S - 1, width + S - 1); the window of centre (r, c) is ``[:, r:r+S, c:c+S]``.
        """
        if split not in SPLITS:
            raise UserError(f"unknown split {split!r}", fix=nearest(split, SPLITS))
        key = split if self.split.region is not None else "whole"
        if key not in self._padded:
            planes = self.planes
            if self.split.region is not None:
                planes = np.where(self.split.readable(split), planes, np.float32(0))
            self._padded[key] = pad_cube(planes, self.window, self.padding)
        return self._padded[key]

    def dataset(self, split: str, augment: bool | None = None) -> WindowDataset:
        """The windows of a split.

        Args:
            augment: apply the recipe's transforms; by default for ``train`` only.
        """
        cube = self.cube_for(split)
        chosen = self.transforms if (split == "train" if augment is None else augment) else ()
        return WindowDataset(cube, self.centres[split], self.targets[split], self.window, chosen, self.seeds)
