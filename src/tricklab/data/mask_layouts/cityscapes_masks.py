"""Cityscapes: streets of fifty cities, nineteen classes."""

from __future__ import annotations

from typing import Literal

from tricklab.data.layouts.folder_scan import list_folder, root_folder
from tricklab.data.mask_files import Pair, PairFiles, mask_list, refuse_missing
from tricklab.data.mask_list import MaskList
from tricklab.errors import UserError
from tricklab.registry import component

# name and label id of the classes that are scored; every other id is void
CLASSES = {
    "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19,
    "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27,
    "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33,
}  # fmt: skip
_IDS = 34
_IMAGE = "_leftImg8bit"


@component("mask_layout", source="Cordts et al., CVPR 2016; github.com/mcordts/cityscapesScripts", given=("root",))
class CityscapesMasks:
    """``root/leftImg8bit/train/<city>/*_leftImg8bit.png`` and ``root/gtFine/train/<city>/*_gtFine_labelIds.png``.

    ``labelIds`` files come with the data; the 15 ids that are not scored have no class. ``labelTrainIds`` files are
    what the scripts make of them. Images of one city are a group. The test images' masks are not public and left out.

    Args:
        annotations: ``gtFine`` or ``gtCoarse``.
        labels: which files are read; both give the same masks.

    Raises:
        UserError: a folder or a mask is missing.
    """

    def __init__(
        self,
        annotations: Literal["gtFine", "gtCoarse"] = "gtFine",
        labels: Literal["labelIds", "labelTrainIds"] = "labelIds",
        *,
        root: str | None = None,
    ) -> None:
        self.annotations, self.labels, self.root = annotations, labels, root

    def read(self) -> MaskList:
        """Find the files."""
        root = root_folder(self.root, "CityscapesMasks")
        pairs: list[Pair] = []
        for folder, split in (("train", "train"), ("train_extra", "train"), ("val", "val")):
            images, masks = root / "leftImg8bit" / folder, root / self.annotations / folder
            if not (images.is_dir() and masks.is_dir()):
                continue
            for city in list_folder(images).folders:
                for path in list_folder(city).images:
                    if not path.stem.endswith(_IMAGE):
                        raise UserError(f"{path.name} does not end in {_IMAGE}", where=str(city))
                    name = f"{path.stem.removesuffix(_IMAGE)}_{self.annotations}_{self.labels}.png"
                    pairs.append(Pair(path, masks / city.name / name, split, city.name))
        if not pairs:
            raise UserError(
                f"there is neither leftImg8bit/train with {self.annotations}/train nor the same of val", where=str(root)
            )
        refuse_missing(pairs, str(root))
        if self.labels == "labelTrainIds":
            values, ignore = tuple(range(len(CLASSES))), (255,)
        else:
            values = tuple(CLASSES.values())
            ignore = tuple(number for number in (*range(_IDS), 255) if number not in values)
        return mask_list(PairFiles(tuple(pairs)), root, classes=tuple(CLASSES), values=values, ignore=ignore)
