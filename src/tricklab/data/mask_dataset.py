"""Images with masks in batches: changed together, cut, normalised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tricklab.data.drawn_items import Asked
from tricklab.data.draws import item_draw, unique_names
from tricklab.data.mask_list import IGNORE
from tricklab.data.mask_store import MaskStore, Pair
from tricklab.data.pair_view import PairView, change
from tricklab.data.pixel_normalisation import PixelNormalisation
from tricklab.errors import UserError
from tricklab.seeds import Seeds


class Corner(Protocol):
    """Where a crop is cut out.

    Attributes:
        name: under which it is reported whether it was asked and knew a place.
    """

    name: ClassVar[str]

    def __call__(
        self, mask_HW: np.ndarray, size: tuple[int, int], draw: Callable[[int], np.ndarray]
    ) -> tuple[int, int] | None:
        """Top and left of a crop of that size inside the mask; None: any place will do."""
        ...


class MaskDataset(Dataset[dict[str, Any]]):
    """The images of one split with their masks.

    ``dataset.__getitems__([(epoch, index, occurrence), …])`` gives a batch: ``image`` float32 (N, C, H, W), ``target``
    int64 (N, H, W) with classes 0 … K-1 and 255 (``IGNORE``), ``index`` int64 (N,), ``drawn`` {transform: bool (N,)};
    a plain index stands for (0, index, 0). What is drawn for an item depends on its (epoch, index, occurrence) alone.

    Args:
        store: gives pixels and masks.
        members_N: numbers of the split's images in the store, int64 (N,).
        normalise: from the files' values to float32, a batch at a time.
        transforms: in order: those of pairs, of bytes, of normalised values.
        crop: (height, width) cut out at a random place, the image filled up where it is smaller; None: whole images.
        corner: asked where to cut, such as at a rare class: what a sampler's ``corner_for`` gives.
        seeds: where the random numbers come from; needed with transforms or a crop.

    Attributes:
        targets: int64 (N, K): pixels of each class of each image, which samplers read.
    """

    def __init__(
        self,
        store: MaskStore,
        members_N: np.ndarray,
        normalise: PixelNormalisation,
        transforms: Sequence[Any] = (),
        crop: tuple[int, int] | None = None,
        corner: Corner | None = None,
        seeds: Seeds | None = None,
    ) -> None:
        if (transforms or crop) and seeds is None:
            raise UserError("transforms need seeds to draw from", where="data.augment")
        self.store, self.members, self.normalise = store, members_N, normalise
        self.crop, self.corner, self.seeds = crop, corner, seeds
        self.targets = torch.from_numpy(store.counts[members_N])
        named = list(zip(unique_names(transforms), transforms, strict=True))
        self.on_pairs = [(name, one) for name, one in named if one.stage == "pair"]
        self.on_bytes = [(name, one) for name, one in named if one.stage == "image"]
        self.on_values = [(name, one) for name, one in named if one.stage == "tensor"]

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, item: int) -> dict[str, Any]:
        batch = self.__getitems__([item])
        drawn = {name: flags[0] for name, flags in batch["drawn"].items()}
        return {**{key: batch[key][0] for key in ("image", "target", "index")}, "drawn": drawn}

    def __getitems__(self, items: Sequence[Any]) -> dict[str, Any]:
        """A whole batch at once.

        Raises:
            UserError: images of several sizes; says how to make them one.
        """
        table = np.asarray(items, dtype=np.int64)
        if table.ndim == 1:
            table = np.stack([np.zeros_like(table), table, np.zeros_like(table)], axis=1)
        asked = Asked(*table.T)
        changed: dict[str, list[bool]] = {name: [] for name, _ in self.on_pairs}
        if self.corner is not None and self.crop is not None:
            changed[self.corner.name] = []
        pairs = [self._pair(row, changed) for row in table]
        shapes = {mask.shape for _, mask in pairs}
        if len(shapes) > 1:
            shown = " and ".join(f"{height} × {width}" for height, width in sorted(shapes)[:2])
            raise UserError(
                f"a batch needs images of one size, not of {shown}",
                where="data.crop",
                fix="write data.crop: [height, width], or data.resize: [height, width]",
            )
        drawn = {name: torch.tensor(flags, dtype=torch.bool) for name, flags in changed.items()}
        images = as_tensors([image for image, _ in pairs])
        if self.on_bytes:
            images = images.contiguous()
        for name, transform in self.on_bytes:
            images, drawn[name] = transform(images, self._draws(name, asked))
        values = self.normalise(images)
        for name, transform in self.on_values:
            values, drawn[name] = transform(values, self._draws(name, asked))
        target = torch.from_numpy(np.stack([mask for _, mask in pairs]).astype(np.int64))
        rows = torch.from_numpy(np.ascontiguousarray(asked.index))
        return {"image": values, "target": target, "index": rows, "drawn": drawn}

    def _pair(self, row: np.ndarray, changed: dict[str, list[bool]]) -> Pair:
        view = PairView.of(*self.store.pair(int(self.members[row[1]])))
        for name, transform in self.on_pairs:
            view, did = change(transform, view, self._draw(name, row))
            changed[name].append(did)
        if self.crop is None:
            return view.image, view.mask
        size = np.minimum(self.crop, view.shape)
        top, left = self._corner(view, row, changed)
        part = view.cut(top, left, *size.tolist())
        return filled(part.image, part.mask, self.crop, self.normalise.fill(part.image.dtype))

    def _corner(self, view: PairView, row: np.ndarray, changed: dict[str, list[bool]]) -> tuple[int, int]:
        """Top and left of the crop; 0 along a side that is filled up."""
        assert self.crop is not None
        spare = np.maximum(np.array(view.shape) - self.crop, 0)
        found = None
        if self.corner is not None:
            if spare.any():
                found = self.corner(filled_mask(view.mask, self.crop), self.crop, self._draw("corner", row))
            changed[self.corner.name].append(found is not None)
        if found is None and spare.any():
            top, left = (self._draw("crop", row)(2) * (spare + 1)).astype(np.int64).tolist()
        else:
            top, left = found or (0, 0)
        assert 0 <= top <= spare[0]
        assert 0 <= left <= spare[1]
        return top, left

    def _draw(self, name: str, row: np.ndarray) -> Callable[[int], np.ndarray]:
        assert self.seeds is not None
        of_one = item_draw(self.seeds, name, row[:1], row[1:2], row[2:])
        return lambda columns: of_one(columns)[0]

    def _draws(self, name: str, asked: Asked) -> Callable[[int], np.ndarray]:
        assert self.seeds is not None
        return item_draw(self.seeds, name, asked.epoch, asked.index, asked.occurrence)


def as_tensors(images: Sequence[np.ndarray]) -> Tensor:
    """(N, C, H, W) of images (H, W, C) of one size: uint8 stays, everything else becomes float32.

    The memory is that of (N, H, W, C): bytes are put in another order while they become numbers, not before.
    """
    stacked = np.stack(images)
    kept = stacked if stacked.dtype == np.uint8 else stacked.astype(np.float32)
    return torch.from_numpy(kept).permute(0, 3, 1, 2)


def filled(image_HWC: np.ndarray, mask_HW: np.ndarray, size: tuple[int, int], fill: np.ndarray) -> Pair:
    """Image and mask of at least a size: below and to the right ``fill`` (C,) and no label are added where they lack.

    >>> filled(np.zeros((1, 2, 1), np.uint8), np.zeros((1, 2), np.uint8), (2, 2), np.array([9]))[0].ravel().tolist()
    [0, 0, 9, 9]
    """
    height, width = np.maximum(mask_HW.shape, size)
    if mask_HW.shape == (height, width):
        return image_HWC, mask_HW
    image = np.empty((height, width, image_HWC.shape[2]), image_HWC.dtype)
    image[:] = fill
    image[: mask_HW.shape[0], : mask_HW.shape[1]] = image_HWC
    return image, filled_mask(mask_HW, size)


def filled_mask(mask_HW: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask of at least a size: below and to the right there is no label.

    >>> filled_mask(np.zeros((1, 2), np.uint8), (2, 2)).tolist()
    [[0, 0], [255, 255]]
    """
    shape = np.maximum(mask_HW.shape, size)
    if mask_HW.shape == tuple(shape):
        return mask_HW
    mask = np.full(shape, IGNORE, dtype=np.uint8)
    mask[: mask_HW.shape[0], : mask_HW.shape[1]] = mask_HW
    return mask
