"""The part of ``tricklab data`` that knows images with masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tricklab.cli.console import console

if TYPE_CHECKING:
    from tricklab.data.segmentation import SegmentationData
    from tricklab.seeds import Seeds

_TYPE = "data.images.type="


# what tells a layout that must be named from folders of classes
_TOLD_BY = {
    "CamVidMasks": ("train", "trainannot"),
    "DriveMasks": ("training/images", "training/1st_manual"),
    "CityscapesMasks": ("leftImg8bit",),
    "VocMasks": ("JPEGImages", "SegmentationClass"),
    "AdeMasks": ("images", "annotations"),
}


def holds_masks(folder: Path, changes: list[str]) -> bool:
    """Whether a folder is one of images and masks: a change says so, or it holds folders of these names.

    Raises:
        UserError: it is laid out as a known data set of masks, and nothing says so.
    """
    from tricklab.errors import UserError
    from tricklab.registry import entries

    said = [change.removeprefix(_TYPE) for change in changes if change.startswith(_TYPE)]
    if said:
        return said[-1] in {entry.name for entry in entries("mask_layout")}
    both = ("images", "masks")
    if any(all((place / name).is_dir() for name in both) for place in (folder, folder / "train")):
        return True
    for layout, names in _TOLD_BY.items():
        if all((folder / name).is_dir() for name in names):
            told = f"images with masks are laid out like this ({', '.join(names)}), and no classes of images"
            raise UserError(told, where=str(folder), fix=f"add {_TYPE}{layout}")
    return False


def mask_stats(settings: SegmentationData, seeds: Seeds, as_json: bool) -> None:
    """Print what images with masks hold."""
    from tricklab.cli.data_images import counting
    from tricklab.data.mask_printing import show_mask_stats
    from tricklab.data.mask_summary import summarise_masks

    with counting() as progress:
        found = summarise_masks(settings, seeds, progress)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        show_mask_stats(console(), found)


def mask_split(settings: SegmentationData, seeds: Seeds, manifest: Path, as_json: bool) -> None:
    """Draw a split of images with masks, write its manifest, and print it."""
    from tricklab.cli.data_images import counting
    from tricklab.data.image_split_files import check_manifest, write_sides
    from tricklab.data.mask_printing import show_mask_split
    from tricklab.data.mask_summary import summarise_mask_split

    check_manifest(manifest)
    with counting() as progress:
        images, sides, found = summarise_mask_split(settings, seeds, progress)
    write_sides(images.keys, sides, manifest)
    found["files"] = [str(manifest)]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    printer = console()
    show_mask_split(printer, found)
    printer.print(str(manifest), markup=False, soft_wrap=True)
