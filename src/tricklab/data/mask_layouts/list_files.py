"""Images and masks listed in text files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tricklab.data.layouts.folder_scan import root_folder
from tricklab.data.lookup import find_file
from tricklab.data.mask_classes import MaskClasses
from tricklab.data.mask_files import Pair, refuse_missing
from tricklab.data.mask_list import MaskList
from tricklab.data.mask_reading import Bands
from tricklab.errors import UserError
from tricklab.registry import component

_NAME = "{name}"


@component(
    "mask_layout",
    source="SegNet's train.txt; PASCAL VOC ImageSets/Segmentation; MMSegmentation ann_file",
    given=("root",),
)
class ListFiles:
    """Text files with a line an image: its file and its mask's, or one name from which both follow.

    Blank lines are skipped. Files are looked for below ``data.root``.

    Args:
        train: list of the training images, below ``data.root``.
        val: list of the validation images; null for none.
        test: list of the test images; null for none.
        image: where the image of a line is, such as "JPEGImages/{name}.jpg", if a line has one name; null for two.
        mask: where its mask is, such as "SegmentationClass/{name}.png"; null for two.
        strip: what the files' names in the lists begin with and this folder lacks, such as "/SegNet/CamVid/".
        delimiter: what stands between image and mask; null for white space.
        bands: ``rgb`` reads images as three bytes a pixel, ``all`` reads every band of 8 or 16 bits.
        values: {class: label value}; null to find them, or for masks in colours.
        colours: {class: [red, green, blue]} of masks in colours; null for label values, or to find the colours.
        ignore_colours: colours without a class.
        group: group images by what stands before the first such text in the file's name ("_": a video); null for
            single images.

    Raises:
        UserError: a line without two files, a file that is not there; names the line.
    """

    def __init__(
        self,
        train: str = "train.txt",
        val: str | None = "val.txt",
        test: str | None = None,
        image: str | None = None,
        mask: str | None = None,
        strip: str = "",
        delimiter: str | None = None,
        bands: Bands = "rgb",
        values: dict[str, int] | None = None,
        colours: dict[str, list[int]] | None = None,
        ignore_colours: list[list[int]] = [],  # noqa: B006
        group: str | None = None,
        *,
        root: str | None = None,
    ) -> None:
        if (image is None) != (mask is None):
            raise UserError("one of image and mask is missing", where="data.images", fix="give both, or neither")
        for key, pattern in (("image", image), ("mask", mask)):
            if pattern is not None and _NAME not in pattern:
                raise UserError(f"{pattern!r} lacks {_NAME}", where=f"data.images.{key}")
        if group == "" or delimiter == "":
            key = "group" if group == "" else "delimiter"
            raise UserError("an empty text", where=f"data.images.{key}", fix="null for none")
        self.lists = {"train": train, "val": val, "test": test}
        self.image, self.mask, self.strip, self.delimiter = image, mask, strip, delimiter
        self.bands, self.group, self.root = bands, group, root
        self.classes = MaskClasses(values, colours, list(ignore_colours))

    def read(self) -> MaskList:
        """Read the lists, look for each file, and for the classes where they are not told."""
        root = root_folder(self.root, "ListFiles")
        return self.classes.listed(self._all_pairs(root), self.bands, root)

    def found(self, ignore: Sequence[int]) -> dict[str, Any]:
        """See :class:`tricklab.data.mask_classes.FindsClasses`."""
        return self.classes.found(self._all_pairs(root_folder(self.root, "ListFiles")), ignore)

    def _all_pairs(self, root: Path) -> list[Pair]:
        pairs: list[Pair] = []
        for split, name in self.lists.items():
            if name is not None:
                pairs += self._pairs(root, find_file(name, self.root, key=f"data.images.{split}"), split)
        return pairs

    def _pairs(self, root: Path, file: Path, split: str) -> list[Pair]:
        pairs = []
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if line.strip():
                image, mask = (root / path for path in self._names(line, f"{file}:{number}"))
                group = None if self.group is None else image.stem.split(self.group)[0]
                pairs.append(Pair(image, mask, split, group))
        if not pairs:
            raise UserError("the list is empty", where=str(file))
        refuse_missing(pairs, str(file))
        return pairs

    def _names(self, line: str, where: str) -> tuple[str, str]:
        parts = [part.strip() for part in line.split(self.delimiter)]
        if self.image is not None and self.mask is not None:
            if len(parts) != 1:
                raise UserError(f"{len(parts)} names in a line, one is expected", where=where)
            return self.image.replace(_NAME, parts[0]), self.mask.replace(_NAME, parts[0])
        if len(parts) != 2:
            raise UserError(
                f"{len(parts)} name{'s' if len(parts) != 1 else ''} in a line, an image and its mask are expected",
                where=where,
                fix="for lines with one name write image: and mask: with {name}",
            )
        for part in parts:
            if not part.startswith(self.strip):
                raise UserError(f"{part} does not begin with {self.strip!r}", where=f"{where}, data.images.strip")
        return parts[0].removeprefix(self.strip), parts[1].removeprefix(self.strip)
