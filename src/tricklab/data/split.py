"""The outcome of a split: three pixel sets, and the parts of the scene that each may read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from tricklab.errors import UserError
from tricklab.seeds import Seeds

SPLITS = ("train", "val", "test")
PLACE = "data.split"


@dataclass(frozen=True)
class Split:
    """Pixels of train, val and test.

    Args:
        train, val, test: bool (height, width), pairwise disjoint, on labelled pixels only; val may be empty.
        region: int8 (height, width) with the number of the split (0 train, 1 val, 2 test) that may read a pixel, or
            None where every split reads the whole scene.
        facts: what the split reports of itself: ``redrawn``, the angle drawn, and so on.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    region: np.ndarray | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def mask(self, split: str) -> np.ndarray:
        """The pixels of one split by its name."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    def readable(self, split: str) -> np.ndarray:
        """The pixels whose spectra a window of this split may hold, bool (height, width)."""
        if self.region is None:
            return np.ones(self.train.shape, dtype=bool)
        return self.region == SPLITS.index(split)

    def digest(self) -> str:
        """Hash of the pixel sets and regions, 32 hex digits."""
        state = hashlib.blake2b(digest_size=16)
        state.update(repr(self.train.shape).encode())
        for name in SPLITS:
            state.update(np.packbits(self.mask(name)).tobytes())
        if self.region is not None:
            state.update(np.ascontiguousarray(self.region, dtype=np.int8).tobytes())
        return state.hexdigest()


class Splitter(Protocol):
    """What a component of kind ``split`` offers."""

    def draw(self, labels_HW: np.ndarray, seeds: Seeds) -> Split:
        """Divide the labelled pixels (labels ≥ 0). The same labels and seeds give the same split."""
        ...


def check_split(split: Split, labels_HW: np.ndarray, names: Sequence[str] = ()) -> None:
    """Refuse a split that overlaps, leaves the labelled pixels, starves a class in training, or evaluates nothing.

    Args:
        names: what to call the classes in messages.

    Raises:
        UserError: says what is wrong; the classes without a training pixel are named.
    """
    for name in SPLITS:
        mask = split.mask(name)
        if mask.shape != labels_HW.shape or mask.dtype != bool:
            raise UserError(f"the {name} mask is {mask.dtype} {mask.shape}, not bool {labels_HW.shape}", where=PLACE)
        if (mask & (labels_HW < 0)).any():
            raise UserError(f"{int((mask & (labels_HW < 0)).sum())} {name} pixels have no label", where=PLACE)
    total = split.train.astype(np.int8) + split.val + split.test
    if (total > 1).any():
        raise UserError(f"{int((total > 1).sum())} pixels are in two splits", where=PLACE)
    if split.region is not None:
        for number, name in enumerate(SPLITS):
            if (split.mask(name) & (split.region != number)).any():
                raise UserError(f"{name} pixels lie outside the region that {name} may read", where=PLACE)
    if not split.train.any():
        raise UserError("no training pixel", where=PLACE)
    if not (split.test.any() or split.val.any()):
        raise UserError("no test pixel", where=PLACE)
    sizes = np.bincount(labels_HW[labels_HW >= 0])
    starved = np.flatnonzero((sizes > 0) & (class_counts(split, labels_HW, len(sizes))["train"] == 0)).tolist()
    if starved:
        shown = ", ".join(f"{class_name(names, number)}: {sizes[number]:,} labelled" for number in starved[:8])
        raise UserError(
            f"no training pixel of {len(starved)} of the {len(sizes)} classes ({shown}{', …' if starved[8:] else ''})",
            where=PLACE,
            fix="take more training pixels, a number of pixels per class, or add the ids to data.ignore",
        )


def class_name(names: Sequence[str], number: int) -> str:
    """What to call a class in a message: its name if there is one, else its number."""
    return names[number] if names else f"class {number}"


def class_counts(split: Split, labels_HW: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Pixels per class of each split, int64 (K,)."""
    return {name: np.bincount(labels_HW[split.mask(name)], minlength=classes).astype(np.int64) for name in SPLITS}
