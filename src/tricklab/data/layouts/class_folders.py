"""One folder a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tricklab.data.image_list import ImageList
from tricklab.data.image_split import SPLIT_NAMES
from tricklab.data.layouts.folder_scan import images_below, list_folder, root_folder
from tricklab.errors import UserError
from tricklab.registry import component


@component("layout", source="torchvision ImageFolder", given=("root",))
class ClassFolders:
    """``root/<class>/*``: every folder is a class, every image in it is of that class.

    Images are told by their suffix, in capitals or not; hidden files and folders are skipped, other files are listed.
    Classes and images come in natural order (``img9`` before ``img10``), where torchvision's ImageFolder sorts by
    character codes.

    Args:
        nested: images in folders below a class folder belong to that class too.

    Raises:
        UserError: no such folder, fewer than two classes, a class without images, or images in deeper folders that
            ``nested`` does not ask for; names the folders.
    """

    def __init__(self, nested: bool = False, *, root: str | None = None) -> None:
        self.nested, self.root = nested, root

    def read(self) -> ImageList:
        """List the images."""
        folder = root_folder(self.root, "ClassFolders")
        found = scan_classes(folder, nested=self.nested)
        return as_image_list(folder, [(found, None)])


@dataclass(frozen=True)
class ClassScan:
    """The images of each class below one folder, the classes in natural order, and the files that are no images."""

    folder: Path
    images: dict[str, list[Path]]
    others: list[Path]


def scan_classes(folder: Path, *, nested: bool) -> ClassScan:
    """Find the class folders and their images.

    Raises:
        UserError: see :class:`ClassFolders`.
    """
    top = list_folder(folder)
    if not top.folders:
        raise UserError("there are no class folders here", where=str(folder), fix="it should hold one folder a class")
    if {path.name.lower() for path in top.folders} <= set(SPLIT_NAMES):
        raise _splits_as_classes(folder, top.folders)
    images, others = {}, [*top.images, *top.others]
    for class_folder in top.folders:
        if nested:
            images[class_folder.name], skipped = images_below(class_folder)
        else:
            listed = list_folder(class_folder)
            images[class_folder.name], skipped = listed.images, listed.others
            deeper = next((path for path in listed.folders if images_below(path)[0]), None)
            if deeper is not None:
                if any(SPLIT_NAMES.get(path.name.lower()) == "train" for path in top.folders):
                    raise _splits_as_classes(folder, top.folders)
                raise UserError(
                    f"the class folder holds images in the folder {deeper.name} too",
                    where=str(class_folder),
                    fix="write nested: true to take them, or move them away",
                )
        others += skipped
    empty = [name for name, files in images.items() if not files]
    if empty:
        unknown = sorted({path.suffix for path in others if path.parent != folder and path.suffix})
        raise UserError(
            f"no image in the class folder{'s' if len(empty) > 1 else ''} {', '.join(empty[:8])}"
            f"{', …' if len(empty) > 8 else ''}",
            where=str(folder),
            fix="remove the empty folder, or put its images in"
            + (f"; files that end in {', '.join(unknown[:8])} are not read" if unknown else ""),
        )
    return ClassScan(folder, images, others)


def _splits_as_classes(folder: Path, folders: Sequence[Path]) -> UserError:
    return UserError(
        f"its folders are {', '.join(path.name for path in folders)}: these are splits, not classes",
        where=str(folder),
        fix="write images: {type: SplitFolders} and split: {type: GivenSplit}",
    )


def as_image_list(root: Path, scans: Sequence[tuple[ClassScan, str | None]]) -> ImageList:
    """One list of scans that hold the same classes, each with the split that its images are given to."""
    classes = tuple(scans[0][0].images)
    if len(classes) < 2:
        raise UserError(f"only one class, {classes[0]}: nothing to classify", where=str(root))
    paths: list[Path] = []
    labels: list[int] = []
    given: list[str] = []
    for scan, split in scans:
        for number, name in enumerate(classes):
            files = scan.images[name]
            paths += files
            labels += [number] * len(files)
            given += [split or ""] * len(files)
    return ImageList(
        paths=tuple(paths),
        labels=np.array(labels, dtype=np.int64),
        classes=classes,
        name=str(root),
        given=None if scans[0][1] is None else tuple(given),
        root=root,
        skipped=tuple(path for scan, _ in scans for path in scan.others),
    )
