"""ADE20K as the scene parsing challenge has it: 150 classes."""

from __future__ import annotations

from pathlib import Path

from tricklab.data.layouts.folder_scan import list_folder, root_folder
from tricklab.data.mask_files import Pair, PairFiles, mask_list, refuse_missing
from tricklab.data.mask_list import MaskList
from tricklab.errors import UserError
from tricklab.registry import component

_FOLDERS = {"train": "training", "val": "validation"}
_OTHER = 0
_NAMES = "objectInfo150.txt"


@component("mask_layout", source="Zhou et al., CVPR 2017; ADEChallengeData2016", given=("root",))
class AdeMasks:
    """``root/images/training/*.jpg`` and ``root/annotations/training/*.png``, so for validation.

    Label values 1 … 150 are the classes, whose names ``root/objectInfo150.txt`` gives; 0 (everything else) has none:
    what MMSegmentation calls ``reduce_zero_label``.

    Raises:
        UserError: a folder, a mask or the file of names is missing.
    """

    def __init__(self, *, root: str | None = None) -> None:
        self.root = root

    def read(self) -> MaskList:
        """Find the files and read the names."""
        root = root_folder(self.root, "AdeMasks")
        classes = _names(root / _NAMES)
        pairs: list[Pair] = []
        for split, name in _FOLDERS.items():
            folder = root / "images" / name
            if not folder.is_dir():
                raise UserError(f"the folder images/{name} is missing", where=str(root))
            pairs += [
                Pair(path, root / "annotations" / name / f"{path.stem}.png", split)
                for path in list_folder(folder).images
            ]
        refuse_missing(pairs, str(root))
        values = tuple(range(1, len(classes) + 1))
        return mask_list(PairFiles(tuple(pairs)), root, classes=classes, values=values, ignore=(_OTHER,))


def _names(file: Path) -> tuple[str, ...]:
    """The first of each class's names: the last column of a table whose first column is the class's number."""
    if not file.is_file():
        raise UserError(f"{file.name} is missing: it names the classes", where=str(file.parent))
    every = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines()[1:], start=1):
        parts = [part.strip() for part in line.split("\t") if part.strip()]
        if len(parts) < 2 or parts[0] != str(number):
            raise UserError(f"class {number} is expected here", where=f"{file}:{number + 1}")
        every.append(parts[-1])
    first = [names.split(",")[0].strip() for names in every]
    # two classes may share their first name ("screen"): then all of their names are kept
    return tuple(one if first.count(one) == 1 else every[place] for place, one in enumerate(first))
