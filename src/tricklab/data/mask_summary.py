"""What a set of images with masks holds, in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tricklab.data.duplicates import join_units, near_pairs
from tricklab.data.mask_list import MaskList
from tricklab.data.mask_store import read_pair
from tricklab.data.mask_survey import MaskSurvey, pooled_moments, survey_masks
from tricklab.data.pixel_normalisation import scale_of
from tricklab.data.segmentation import SegmentationData, split_digest
from tricklab.data.split import SPLITS
from tricklab.errors import UserError
from tricklab.seeds import Seeds

Progress = Callable[[int, int], None]
_SIDES = (*SPLITS, "")


def summarise_masks(settings: SegmentationData, seeds: Seeds, progress: Progress | None = None) -> dict[str, Any]:
    """Classes, sizes, statistics, copies and faults of images with masks, and their split; faults are reported.

    Args:
        progress: called with (images looked at, images in all).

    Returns:
        Plain data: ``folder, images``; ``classes``: for each ``name, value, images`` (that have a pixel of it),
        ``pixels, share`` (of the labelled ones) and, with a split, ``{side}_images`` and ``{side}_pixels`` of train,
        val, test and unused; ``unlabelled`` (``pixels, share, most``: the largest share of an image, ``images``:
        without any label); ``sizes`` (``smallest, largest``: height and width); ``channels, dtype``; ``statistics`` of
        ``all`` images and of ``train`` ones (``mean, std`` of values divided by the largest of their type, ``pixels``);
        ``duplicates`` (``identical, near``: groups by name, ``relabelled``: groups of one picture with several masks,
        ``crossing``: near copies that the split tears apart); ``faults`` (why, for each that cannot be used);
        ``layout``; ``split`` and ``split_sizes``, or ``split: {"refused": why}``.

    Raises:
        UserError: the images cannot be listed, their classes not be told, or none can be read.
    """
    images, labels = settings.listed()
    classes = labels.classes
    survey = survey_masks(
        images, lambda number: read_pair(images, labels, number), len(classes), faults="list", details=True,
        progress=progress,
    )  # fmt: skip
    readable = survey.readable
    if not readable.any():
        raise UserError(f"none of the {len(images):,} images can be used: {survey.faults[0]}", where=images.name)
    found: dict[str, Any] = {
        "folder": images.name,
        "images": len(images),
        "sizes": _sizes(survey.sizes[readable]),
        "unlabelled": _unlabelled(survey),
        "faults": list(survey.faults.values()),
        "layout": dict(images.facts),
    }
    sides = None
    try:
        found["channels"], kind = survey.one_kind(images)
        found["dtype"] = str(kind)
        found["statistics"] = {"all": _statistics(survey, readable)}
        if survey.faults:
            raise UserError(f"{len(survey.faults):,} of {len(images):,} images cannot be used")
        sides = settings.divide(images, classes, survey.counts, survey.pictures, seeds)
        found |= _of_split(settings, images, sides, seeds)
        found["statistics"]["train"] = _statistics(survey, sides == "train")
    except UserError as refused:
        found["split"] = {"refused": str(refused)}
    found["duplicates"] = _duplicates(images, survey, sides)
    return {**found, "classes": _classes(classes, labels.values, survey.counts, sides)}


def summarise_mask_split(
    settings: SegmentationData, seeds: Seeds, progress: Progress | None = None
) -> tuple[MaskList, np.ndarray, dict[str, Any]]:
    """Draw one block's split, the one that training draws.

    Returns:
        The images, the side of each, and plain data: ``split`` (type, block, digest), ``split_sizes``, ``classes``.

    Raises:
        UserError: whatever training would refuse: files that cannot be used, leaks, classes without a training pixel.
    """
    images, labels = settings.listed()
    classes = labels.classes
    survey = survey_masks(
        images, lambda number: read_pair(images, labels, number), len(classes), progress=progress
    )  # fmt: skip
    survey.one_kind(images)
    sides = settings.divide(images, classes, survey.counts, survey.pictures, seeds)
    found = _of_split(settings, images, sides, seeds)
    return images, sides, {**found, "classes": _classes(classes, labels.values, survey.counts, sides)}


def _of_split(settings: SegmentationData, images: MaskList, sides: np.ndarray, seeds: Seeds) -> dict[str, Any]:
    return {
        "split": {"type": settings.split["type"], "block": seeds.block, "digest": split_digest(images, sides)},
        "split_sizes": {side or "unused": int((sides == side).sum()) for side in _SIDES},
    }


def _classes(
    names: Sequence[str], values: Sequence[int], counts_NK: np.ndarray, sides: np.ndarray | None
) -> list[dict[str, Any]]:
    pixels, total = counts_NK.sum(axis=0), max(int(counts_NK.sum()), 1)
    rows: list[dict[str, Any]] = []
    for number, (name, value) in enumerate(zip(names, values, strict=True)):
        own = counts_NK[:, number]
        row: dict[str, Any] = {"name": name, "value": int(value), "images": int((own > 0).sum())}
        row |= {"pixels": int(pixels[number]), "share": float(pixels[number] / total)}
        for side in () if sides is None else _SIDES:
            row[f"{side or 'unused'}_images"] = int((own[sides == side] > 0).sum())
            row[f"{side or 'unused'}_pixels"] = int(own[sides == side].sum())
        rows.append(row)
    return rows


def _unlabelled(survey: MaskSurvey) -> dict[str, Any]:
    areas = survey.sizes[survey.readable].prod(axis=1)
    without = survey.unlabelled[survey.readable]
    return {
        "pixels": int(without.sum()),
        "share": float(without.sum() / areas.sum()),
        "most": float((without / areas).max()),
        "images": int((without == areas).sum()),
    }


def _statistics(survey: MaskSurvey, chosen_N: np.ndarray) -> dict[str, Any]:
    parts = [survey.moments[number] for number in np.flatnonzero(chosen_N).tolist()]
    mean, std, pixels = pooled_moments([part for part in parts if part is not None])
    kind = next(kind for kind in survey.kinds if kind is not None)
    scale = scale_of(kind[1])
    return {"mean": (mean / scale).tolist(), "std": (std / scale).tolist(), "pixels": pixels}


def _duplicates(images: MaskList, survey: MaskSurvey, sides: np.ndarray | None) -> dict[str, Any]:
    """Copies by name; near ones are looked for among images that are not the same."""
    assert survey.likeness is not None
    thumbnails, hashes = survey.likeness
    usable = np.flatnonzero(survey.readable)
    pictures = np.array(survey.pictures)
    first = np.unique(pictures[usable], return_index=True)[1]
    alone = np.sort(usable[first])
    left, right = (alone[found] for found in near_pairs(hashes[alone], thumbnails[alone]))
    near = join_units(np.arange(len(images)), len(images), left, right)
    identical = _groups(pictures, usable)
    groups = _groups(near, alone)
    torn = [group for group in groups if sides is not None and len(set(sides[group].tolist()) - {""}) > 1]
    relabelled = [group for group in identical if len({survey.digests[number] for number in group}) > 1]
    named = {"identical": identical, "near": groups, "relabelled": relabelled, "crossing": torn}
    return {key: [[images.keys[number] for number in group] for group in found] for key, found in named.items()}


def _groups(units_N: np.ndarray, among: np.ndarray) -> list[list[int]]:
    """Numbers of images with one unit, two or more of them."""
    order = among[np.argsort(units_N[among], kind="stable")]
    bounds = np.flatnonzero(units_N[order][1:] != units_N[order][:-1]) + 1
    return [part.tolist() for part in np.split(order, bounds) if len(part) > 1]


def _sizes(sizes_N2: np.ndarray) -> dict[str, list[int]]:
    areas = sizes_N2.prod(axis=1)
    return {"smallest": sizes_N2[areas.argmin()].tolist(), "largest": sizes_N2[areas.argmax()].tolist()}
