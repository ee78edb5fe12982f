"""DRIVE: vessels of the retina, with fields of view."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tricklab.data.layouts.folder_scan import list_folder, root_folder
from tricklab.data.mask_files import Pair, PairFiles, mask_list, refuse_missing
from tricklab.data.mask_list import MaskList
from tricklab.errors import UserError
from tricklab.registry import component

CLASSES = ("background", "vessel")
_FOLDERS = {"train": "training", "test": "test"}


@component("mask_layout", source="Staal et al., IEEE TMI 23(4), 2004; drive.grand-challenge.org", given=("root",))
class DriveMasks:
    """``root/training/images/21_training.tif`` with ``1st_manual/21_manual1.gif`` and ``mask/21_training_mask.gif``.

    The first observer writes 0 and 255, the second the indices 0 and 1 of a palette of two greys; both are read by
    value. ``training`` is the given ``train``, ``test`` the given ``test``.

    Args:
        outside: pixels outside the field of view have no label (``ignore``), or are ``background`` as in the files.
        observer: whose masks of the test images: 1, whose the published figures are scored against, or 2; of the
            training images only the first observer's are there.

    Raises:
        UserError: a folder or file is missing, or a mask has other values.
    """

    def __init__(
        self,
        outside: Literal["ignore", "background"] = "ignore",
        observer: Literal[1, 2] = 1,
        *,
        root: str | None = None,
    ) -> None:
        self.outside, self.observer, self.root = outside, observer, root

    def read(self) -> MaskList:
        """Find the files."""
        root = root_folder(self.root, "DriveMasks")
        pairs: list[Pair] = []
        for split, name in _FOLDERS.items():
            folder = root / name
            if not (folder / "images").is_dir():
                raise UserError(f"the folder {name}/images is missing", where=str(root))
            observer = self.observer if split == "test" else 1
            manual = folder / ("1st_manual" if observer == 1 else "2nd_manual")
            for path in list_folder(folder / "images").images:
                number = path.stem.split("_")[0]
                field = folder / "mask" / f"{path.stem}_mask.gif"
                pairs.append(
                    Pair(
                        path,
                        manual / f"{number}_manual{observer}.gif",
                        split,
                        field=field if self.outside == "ignore" else None,
                    )
                )
        refuse_missing(pairs, str(root))
        missing = [pair.field for pair in pairs if pair.field is not None and not pair.field.is_file()]
        if missing:
            raise UserError(
                f"the field of view {missing[0]} is not there", where=str(root), fix="or write outside: background"
            )
        return mask_list(_Vessels(tuple(pairs)), root, classes=CLASSES, values=(0, 1))


@dataclass(frozen=True)
class _Vessels(PairFiles):
    def _values(self, pixels: np.ndarray, where: str) -> np.ndarray:
        found = super()._values(pixels, where)
        vessel = 255 if Path(where).stem.endswith("manual1") else 1
        strange = found[(found != 0) & (found != vessel)]
        if strange.size:
            raise UserError(
                f"{strange.size:,} pixels are neither 0 nor {vessel}, the first of them {int(strange[0])}", where=where
            )
        return (found == vessel).astype(np.int32)
