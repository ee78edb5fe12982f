"""A folder of images and a folder of masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from tricklab.data.image_split import SPLIT_NAMES
from tricklab.data.layouts.folder_scan import images_below, list_folder, root_folder
from tricklab.data.mask_classes import MaskClasses
from tricklab.data.mask_files import Pair
from tricklab.data.mask_list import MaskList
from tricklab.data.mask_reading import Bands
from tricklab.errors import UserError
from tricklab.registry import component

_SHOWN = 3


@component("mask_layout", source="the images and masks folders of most tutorials", given=("root",))
class MaskFolders:
    """``root/images/*`` and ``root/masks/*``: a mask has its image's name, whatever the suffixes.

    Both may hold folders; folders ``train``, ``val``, ``test`` in both, or ``root/train/images`` and so on, are the
    given split. Label values are read as they stand in the file, of palette files the index. Where neither ``values``
    nor ``colours`` are said, every value (or colour) that occurs in any mask and is not ignored becomes a class, in
    rising order; a run's recipe says what was found.

    Args:
        images: folder of the images.
        masks: folder of the masks.
        image_suffix: what an image's name ends in beyond the mask's, before the file's ending, such as "_rgb".
        mask_suffix: the same of the masks, such as "_mask".
        bands: ``rgb`` reads images as three bytes a pixel, ``all`` reads every band of 8 or 16 bits.
        values: {class: label value}; null to find them, or for masks in colours.
        colours: {class: [red, green, blue]} of masks in colours; null for label values, or to find the colours.
        ignore_colours: colours without a class.
        group: what belongs together: images of one ``folder``, or of one ``prefix`` of their names up to the first
            ``_`` (a video); null for single images.

    Raises:
        UserError: a folder is missing, an image has no mask or a mask no image, two files have one name.
    """

    def __init__(
        self,
        images: str = "images",
        masks: str = "masks",
        image_suffix: str = "",
        mask_suffix: str = "",
        bands: Bands = "rgb",
        values: dict[str, int] | None = None,
        colours: dict[str, list[int]] | None = None,
        ignore_colours: list[list[int]] = [],  # noqa: B006
        group: Literal["folder", "prefix"] | None = None,
        *,
        root: str | None = None,
    ) -> None:
        self.images, self.masks = images, masks
        self.image_suffix, self.mask_suffix = image_suffix, mask_suffix
        self.bands, self.classes = bands, MaskClasses(values, colours, list(ignore_colours))
        self.group, self.root = group, root

    def read(self) -> MaskList:
        """Find the files, and the classes where they are not told."""
        root = root_folder(self.root, "MaskFolders")
        return self.classes.listed(self._all_pairs(root), self.bands, root)

    def found(self, ignore: Sequence[int]) -> dict[str, Any]:
        """See :class:`tricklab.data.mask_classes.FindsClasses`."""
        return self.classes.found(self._all_pairs(root_folder(self.root, "MaskFolders")), ignore)

    def _all_pairs(self, root: Path) -> list[Pair]:
        pairs: list[Pair] = []
        for images, masks, split in self._folders(root):
            pairs += self._pairs(images, masks, split)
        if not pairs:
            raise UserError("there is no image", where=str(root / self.images))
        return pairs

    def _folders(self, root: Path) -> list[tuple[Path, Path, str]]:
        """Folders of images, of masks, and the split of each."""
        images, masks = root / self.images, root / self.masks
        if images.is_dir() and masks.is_dir():
            return [(images, masks, "")]
        splits = {path: SPLIT_NAMES[path.name.lower()] for path in _split_folders(root)}
        inner = [(path / self.images, path / self.masks, split) for path, split in splits.items()]
        found = [(one, two, split) for one, two, split in inner if one.is_dir() and two.is_dir()]
        if not found:
            there = ", ".join(path.name for path in list_folder(root).folders) or "none at all"
            raise UserError(
                f"there is no folder {self.images} with a folder {self.masks}; there is {there}",
                where=str(root),
                fix="name them: images: {type: MaskFolders, images: …, masks: …}",
            )
        return found

    def _pairs(self, images: Path, masks: Path, split: str) -> list[Pair]:
        pictures = _by_name(images, self.image_suffix, "image_suffix")
        labels = _by_name(masks, self.mask_suffix, "mask_suffix")
        for one, others, what, where in ((pictures, labels, "mask", masks), (labels, pictures, "image", images)):
            alone = [one[name] for name in one if name not in others]
            if alone:
                raise UserError(
                    f"no {what} of {len(alone):,} of {len(one):,} files: "
                    f"{', '.join(map(str, alone[:_SHOWN]))}{', …' if len(alone) > _SHOWN else ''}",
                    where=str(where),
                    fix="names must agree; image_suffix and mask_suffix say what stands behind the common part",
                )
        return [
            Pair(path, labels[name], split or _given(name), self._group(path, images))
            for name, path in pictures.items()
        ]

    def _group(self, image: Path, folder: Path) -> str | None:
        if self.group == "folder":
            return str(image.parent)
        if self.group == "prefix":
            return f"{image.parent}/{image.stem.split('_')[0]}"
        return None


def _split_folders(root: Path) -> list[Path]:
    return [path for path in list_folder(root).folders if path.name.lower() in SPLIT_NAMES]


def _given(name: str) -> str:
    """The split of a file ``train/…``; "" of a file that lies in no such folder."""
    first, _, rest = name.partition("/")
    return SPLIT_NAMES.get(first.lower(), "") if rest else ""


def _by_name(folder: Path, suffix: str, key: str) -> dict[str, Path]:
    """Files by what they share with their partner: the path below the folder, without the endings."""
    found: dict[str, Path] = {}
    for path in images_below(folder)[0]:
        if not path.stem.endswith(suffix):
            raise UserError(f"{path.name} does not end in {suffix!r}", where=f"{folder}, data.images.{key}")
        stem = path.stem.removesuffix(suffix)
        name = (path.parent.relative_to(folder) / stem).as_posix()
        if name in found:
            raise UserError(f"{found[name].name} and {path.name} have one name", where=str(path.parent))
        found[name] = path
    return found
