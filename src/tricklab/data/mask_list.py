"""Images with masks as a layout finds them, before any split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

IGNORE = 255
OUTSIDE = -1
MOST_CLASSES = 254


@dataclass(frozen=True)
class MaskList:
    """Images and their masks, in a fixed order; nothing of them is read yet.

    Args:
        keys: what names each image in manifests and messages: its path below the layout's folder with ``/``.
        read_image: the pixels of an image by its number: (height, width, channels), uint8, uint16 or float32.
        read_mask: the label values of its mask as the files have them: int32 (height, width); ``OUTSIDE`` (-1) where
            the layout itself knows that nothing is labelled, such as outside a field of view.
        classes: names, in the order of ``values``; None where the layout knows none.
        values: the label value of each class; None: what ``data.ignore`` leaves of those that occur, ascending.
        name: the folder or file they come from, for messages.
        given: ``train``, ``val``, ``test`` or "" (left out) for each image, where the layout knows it.
        groups: what each image belongs to (a video, a patient), where the layout knows it.
        ignore: label values that the layout itself leaves without a class, beside ``data.ignore``.
        facts: what the layout inferred, such as a colour encoding; recorded with the run.
        mask_files: the file of each mask, for messages; empty where there is none.
        shown: bool (N, K), which classes each image has a pixel of; None before the masks are read.
    """

    keys: tuple[str, ...]
    read_image: Callable[[int], np.ndarray]
    read_mask: Callable[[int], np.ndarray]
    classes: tuple[str, ...] | None
    values: tuple[int, ...] | None
    name: str
    given: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    ignore: tuple[int, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    mask_files: tuple[Path, ...] = ()
    shown: np.ndarray | None = None

    def __post_init__(self) -> None:
        assert self.given is None or len(self.given) == len(self.keys)
        assert self.groups is None or len(self.groups) == len(self.keys)
        assert self.classes is None or self.values is None or len(self.classes) == len(self.values)
        assert len(self.mask_files) in (0, len(self.keys))
        assert self.shown is None or len(self.shown) == len(self.keys)

    def __len__(self) -> int:
        return len(self.keys)

    def mask_name(self, number: int) -> str:
        """What to call the mask of an image in a message."""
        return str(self.mask_files[number]) if self.mask_files else f"the mask of {self.keys[number]}"
