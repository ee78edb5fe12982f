"""PASCAL VOC: twenty classes of things and their background."""

from __future__ import annotations

from tricklab.data.layouts.folder_scan import root_folder
from tricklab.data.mask_files import Pair, PairFiles, mask_list, refuse_missing
from tricklab.data.mask_list import MaskList
from tricklab.errors import UserError
from tricklab.registry import component

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_VOID = 255


@component("mask_layout", source="Everingham et al., IJCV 88(2), 2010; the VOC development kit", given=("root",))
class VocMasks:
    """``root/JPEGImages/*.jpg``, ``root/SegmentationClass/*.png``, names in ``root/ImageSets/Segmentation/*.txt``.

    The masks have palettes; their indices are the classes, 255 is void.

    Args:
        train: the list of training images, without its ending; "trainaug" for that of Hariharan et al.
        val: the list of validation images.
        masks: folder of the masks; "SegmentationClassAug" for those of Hariharan et al.

    Raises:
        UserError: a list, an image or a mask is missing, or a line has more than one name.
    """

    def __init__(
        self, train: str = "train", val: str = "val", masks: str = "SegmentationClass", *, root: str | None = None
    ) -> None:
        self.lists, self.masks, self.root = {"train": train, "val": val}, masks, root

    def read(self) -> MaskList:
        """Read the lists and look for each file."""
        root = root_folder(self.root, "VocMasks")
        pairs: list[Pair] = []
        for split, name in self.lists.items():
            file = root / "ImageSets" / "Segmentation" / f"{name}.txt"
            if not file.is_file():
                raise UserError(f"there is no list {file}", where=f"data.images.{split}")
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
                if len(line.split()) > 1:
                    raise UserError("more than one name in a line", where=f"{file}:{number}")
                if stem := line.strip():
                    image, mask = root / "JPEGImages" / f"{stem}.jpg", root / self.masks / f"{stem}.png"
                    pairs.append(Pair(image, mask, split))
        refuse_missing(pairs, str(root))
        values = tuple(range(len(CLASSES)))
        return mask_list(PairFiles(tuple(pairs)), root, classes=CLASSES, values=values, ignore=(_VOID,))
