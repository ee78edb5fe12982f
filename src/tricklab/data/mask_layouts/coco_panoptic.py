"""COCO's panoptic masks as classes of pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tricklab.data.layouts.folder_scan import root_folder
from tricklab.data.lookup import find_file
from tricklab.data.mask_encoding import colour_codes
from tricklab.data.mask_files import Pair, PairFiles, mask_list, refuse_missing
from tricklab.data.mask_list import OUTSIDE, MaskList
from tricklab.data.mask_reading import read_mask
from tricklab.errors import UserError
from tricklab.registry import component

_VOID = 0


@component("mask_layout", source="Kirillov et al., CVPR 2019; cocodataset.org/#format-data, panoptic", given=("root",))
class CocoPanoptic:
    """Masks whose colours are the numbers of segments, and a JSON file that says each segment's class.

    A segment's number is red + 256 · green + 65536 · blue; 0 has no class. Label values are the category ids of the
    JSON file, classes its categories. Crowds count as their class.

    Args:
        train: JSON file of the training images, below ``data.root``; its masks lie in the folder of its name, beside it
            or below ``data.root``.
        val: the same of the validation images.
        train_images: folder of the training images.
        val_images: folder of the validation images.

    Raises:
        UserError: a file is missing, is not of this format, or a segment of a mask is not in the JSON file.
    """

    def __init__(
        self,
        train: str = "annotations/panoptic_train2017.json",
        val: str = "annotations/panoptic_val2017.json",
        train_images: str = "train2017",
        val_images: str = "val2017",
        *,
        root: str | None = None,
    ) -> None:
        self.train, self.val, self.train_images, self.val_images = train, val, train_images, val_images
        self.root = root

    def read(self) -> MaskList:
        """Read the JSON files and look for each image and mask."""
        root = root_folder(self.root, "CocoPanoptic")
        pairs: list[Pair] = []
        segments: list[Mapping[int, int]] = []
        categories: dict[int, str] | None = None
        for split, name, images in (("train", self.train, self.train_images), ("val", self.val, self.val_images)):
            file = find_file(name, self.root, key=f"data.images.{split}")
            found, known = _read_json(file, root, root / images, split)
            if categories is not None and known != categories:
                raise UserError("its categories are not those of the training images", where=str(file))
            categories = known
            pairs += [pair for pair, _ in found]
            segments += [one for _, one in found]
        refuse_missing(pairs, str(root))
        assert categories is not None
        ids = tuple(sorted(categories))
        files = _Segments(tuple(pairs), segments=tuple(segments))
        return mask_list(files, root, classes=tuple(categories[number] for number in ids), values=ids)


@dataclass(frozen=True)
class _Segments(PairFiles):
    """Args: segments: {number of a segment: category id} of each image."""

    segments: tuple[Mapping[int, int], ...] = ()

    def mask(self, number: int) -> np.ndarray:
        where = str(self.pairs[number].mask)
        pixels = read_mask(where)
        if pixels.ndim != 3:
            raise UserError("a panoptic mask is in colours, this one is not", where=where)
        codes, place = np.unique(colour_codes(pixels[..., ::-1]), return_inverse=True)
        known = self.segments[number]
        strange = [code for code in codes.tolist() if code != _VOID and code not in known]
        if strange:
            count = int(np.isin(codes[place], strange).sum())
            raise UserError(
                f"the JSON file does not know the segment {strange[0]}"
                f"{f' and {len(strange) - 1} more' if len(strange) > 1 else ''} ({count:,} pixels)",
                where=where,
            )
        values = np.array([known.get(code, OUTSIDE) for code in codes.tolist()], dtype=np.int32)
        return values[place].reshape(pixels.shape[:2])


def _read_json(
    file: Path, root: Path, images: Path, split: str
) -> tuple[list[tuple[Pair, Mapping[int, int]]], dict[int, str]]:
    """Pairs of files with their segments, and the categories by id."""
    try:
        said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        categories = {int(one["id"]): str(one["name"]) for one in said["categories"]}
        names = {one["id"]: str(one["file_name"]) for one in said["images"]}
        folders = (file.parent / file.stem, root / file.stem)
        masks = next((folder for folder in folders if folder.is_dir()), folders[0])
        found: list[tuple[Pair, Mapping[int, int]]] = []
        for one in said["annotations"]:
            known = {int(segment["id"]): int(segment["category_id"]) for segment in one["segments_info"]}
            found.append((Pair(images / names[one["image_id"]], masks / str(one["file_name"]), split), known))
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise UserError(f"this is no panoptic JSON file ({type(cause).__name__}: {cause})", where=str(file)) from None
    unknown = {value for _, known in found for value in known.values()} - set(categories)
    if unknown:
        raise UserError(f"segments of the unknown category {min(unknown)}", where=str(file))
    return found, categories
