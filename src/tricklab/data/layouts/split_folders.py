"""Folders train, val, test, each of class folders."""

from __future__ import annotations

from pathlib import Path

from tricklab.data.image_list import ImageList
from tricklab.data.image_split import SPLIT_NAMES
from tricklab.data.layouts.class_folders import ClassScan, as_image_list, scan_classes
from tricklab.data.layouts.folder_scan import list_folder, root_folder
from tricklab.errors import UserError
from tricklab.registry import component


@component("layout", source="the ImageFolder trees of most tutorials", given=("root",))
class SplitFolders:
    """``root/train/<class>/*``, ``root/val/<class>/*``, ``root/test/<class>/*``: the split is given by the folders.

    ``train`` must be there and at least one of the others; ``valid`` and ``validation`` mean ``val``. The split
    ``GivenSplit`` takes the folders as they are.

    Args:
        nested: images in folders below a class folder belong to that class too.

    Raises:
        UserError: a folder is missing, its classes are not those of ``train``, or a class has no images.
    """

    def __init__(self, nested: bool = False, *, root: str | None = None) -> None:
        self.nested, self.root = nested, root

    def read(self) -> ImageList:
        """List the images of all splits."""
        folder = root_folder(self.root, "SplitFolders")
        found: dict[str, Path] = {}
        for path in list_folder(folder).folders:
            split = SPLIT_NAMES.get(path.name.lower())
            if split in found:
                raise UserError(f"both {found[split].name} and {path.name} mean {split}", where=str(folder))
            if split is not None:
                found[split] = path
        if "train" not in found or len(found) < 2:
            raise UserError(
                f"there is {', '.join(path.name for path in found.values()) or 'no split folder'}; expected train and "
                "val, or train and test",
                where=str(folder),
                fix="for folders of classes without a split write images: {type: ClassFolders}",
            )
        order = [name for name in ("train", "val", "test") if name in found]
        scans = [(scan_classes(found[name], nested=self.nested), name) for name in order]
        for scan, _ in scans[1:]:
            refuse_other_classes(scan, scans[0][0])
        return as_image_list(folder, scans)


def refuse_other_classes(scan: ClassScan, train: ClassScan) -> None:
    """Refuse a split whose class folders are not those of training.

    Raises:
        UserError: names the folders that are missing, and those that training lacks.
    """
    missing = [name for name in train.images if name not in scan.images]
    unknown = [name for name in scan.images if name not in train.images]
    if not missing and not unknown:
        return
    told = [
        f"{what} {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"
        for what, names in (("it lacks", missing), ("training lacks", unknown))
        if names
    ]
    raise UserError(
        f"its classes are not those of {train.folder.name}: {'; '.join(told)}",
        where=str(scan.folder),
        fix="every split needs a folder with images for each class, spelt alike",
    )
