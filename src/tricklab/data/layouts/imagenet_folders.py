"""ImageNet as it is distributed."""

from __future__ import annotations

import re
from pathlib import Path

from tricklab.data.image_list import ImageList
from tricklab.data.layouts.class_folders import ClassScan, as_image_list, scan_classes
from tricklab.data.layouts.folder_scan import list_folder, root_folder
from tricklab.data.layouts.split_folders import refuse_other_classes
from tricklab.data.lookup import find_file
from tricklab.errors import UserError
from tricklab.registry import component


@component("layout", source="ILSVRC 2012: the development kit's readme, and Kaggle's copy", given=("root",))
class ImageNetFolders:
    """``root/train/<wnid>/*`` and ``root/val/``, either sorted into ``<wnid>`` folders or flat with a file of labels.

    For a flat ``val`` three kinds of label file are known: lines ``name wnid`` with a space or a comma between;
    Kaggle's ``LOC_val_solution.csv`` (the first word of the second column is the wnid); and the development kit's
    ``ILSVRC2012_validation_ground_truth.txt``, one number a line for the images in the order of their names. Its
    numbers count the classes in an order of the kit's own, not the alphabetical one, so it needs the kit's
    ``meta.mat`` too. The unlabelled test images are left alone. ``GivenSplit`` takes train and val as they are.

    Args:
        labels: the label file of a flat ``val``, below ``data.root``; null where ``val`` holds class folders.
        meta: the development kit's ``meta.mat``, for labels that are numbers.

    Raises:
        UserError: folders are missing, classes of train and val differ, images without a label or labels without an
            image; names the place.
    """

    def __init__(self, labels: str | None = None, meta: str | None = None, *, root: str | None = None) -> None:
        self.labels, self.meta, self.root = labels, meta, root

    def read(self) -> ImageList:
        """List the images of train and val."""
        folder = root_folder(self.root, "ImageNetFolders")
        for name in ("train", "val"):
            if not (folder / name).is_dir():
                raise UserError(f"no folder {name}", where=str(folder), fix="data.root should hold train and val")
        train = scan_classes(folder / "train", nested=False)
        val = self._flat(folder, train) if self.labels is not None else self._sorted(folder)
        refuse_other_classes(val, train)
        return as_image_list(folder, [(train, "train"), (val, "val")])

    def _sorted(self, folder: Path) -> ClassScan:
        if not list_folder(folder / "val").folders:
            raise UserError(
                "val holds no class folders",
                where=str(folder / "val"),
                fix="give its labels: images: {type: ImageNetFolders, labels: LOC_val_solution.csv}",
            )
        return scan_classes(folder / "val", nested=False)

    def _flat(self, folder: Path, train: ClassScan) -> ClassScan:
        assert self.labels is not None
        file = find_file(self.labels, self.root, key="data.images.labels")
        found = list_folder(folder / "val")
        lines = _lines(file)
        numbers = all(line.isdecimal() for line in lines)
        wnids = self._by_order(file, lines, found.images) if numbers else _by_name(file, lines)
        images: dict[str, list[Path]] = {name: [] for name in train.images}
        for path in found.images:
            wnid = wnids.pop(path.stem, None)
            if wnid is None:
                raise UserError(f"no label for {path.name}", where=str(file))
            images.setdefault(wnid, []).append(path)
        if wnids:
            raise UserError(
                f"{len(wnids):,} labels have no image, the first is {next(iter(wnids))}", where=str(folder / "val")
            )
        images = {name: files for name, files in images.items() if files}
        return ClassScan(folder / "val", images, found.others)

    def _by_order(self, file: Path, lines: list[str], images: list[Path]) -> dict[str, str]:
        if self.meta is None:
            raise UserError(
                "its labels are the development kit's numbers, which are not in the order of the class names",
                where=str(file),
                fix="give the kit's table of them: meta: meta.mat",
            )
        if len(lines) != len(images):
            raise UserError(f"{len(lines):,} labels for {len(images):,} images", where=str(file))
        path = find_file(self.meta, self.root, key="data.images.meta")
        table = _numbered_wnids(path)
        found = {}
        for number, (image, line) in enumerate(zip(images, lines, strict=True), start=1):
            if int(line) not in table:
                raise UserError(f"no class has the number {line} in {path.name}", where=f"{file}:{number}")
            found[image.stem] = table[int(line)]
        return found


def _lines(file: Path) -> list[str]:
    """What stands in a text file, without blank lines."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("this is no text file of labels", where=str(file)) from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise UserError("there are no labels here", where=str(file))
    return found


def _by_name(file: Path, lines: list[str]) -> dict[str, str]:
    """{an image's name without suffix: wnid}; a header line without a wnid is allowed."""
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        cells = re.split(r"[,\s]+", line)
        if number == 1 and cells[0].lower() in ("imageid", "image", "name", "filename"):
            continue
        if len(cells) < 2 or not cells[1]:
            raise UserError(f"expected an image and its class, not {line!r}", where=f"{file}:{number}")
        stem = Path(cells[0]).stem
        if stem in found:
            raise UserError(f"{stem} is listed twice", where=f"{file}:{number}")
        found[stem] = cells[1]
    return found


def _numbered_wnids(path: Path) -> dict[int, str]:
    """{number: wnid} of the development kit's ``meta.mat``."""
    import scipy.io

    try:
        synsets = scipy.io.loadmat(path, squeeze_me=True)["synsets"]
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
    except (KeyError, ValueError, TypeError, IndexError, NotImplementedError, scipy.io.matlab.MatReadError):
        raise UserError("this is not the development kit's meta.mat", where=str(path)) from None
