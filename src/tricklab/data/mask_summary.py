"""What a set of images with masks holds, in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tricklab.data.duplicates import Duplicates
from tricklab.data.mask_duplicates import find_mask_duplicates
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
        ``duplicates`` (counts, and groups by name: ``identical``, ``near``, ``relabelled``: one picture with several
        masks, ``crossing``: near copies that the split tears apart); ``faults`` (why, for each that cannot be used);
        ``layout``; ``split`` and ``split_sizes``, or ``split: {"refused": why}``.

    Raises:
        UserError: the images cannot be listed, their classes not be told, or none can be read.
    """
    images, labels = settings.listed()
    classes = labels.classes
    survey = survey_masks(
        images, lambda number: read_pair(images, labels, number), len(classes), faults="list",
        likeness=True, moments=True, progress=progress,
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
        sides = settings.divide(images, classes, survey, seeds).sides
        found |= _of_split(settings, images, sides, seeds)
        found["statistics"]["train"] = _statistics(survey, sides == "train")
    except UserError as refused:
        found["split"] = {"refused": str(refused)}
    copies = find_mask_duplicates(survey)
    found["duplicates"] = {**copies.facts(), **_named(images, survey, copies, sides)}
    return {**found, "classes": _classes(classes, labels.values, survey.counts, sides)}


def summarise_mask_split(
    settings: SegmentationData, seeds: Seeds, progress: Progress | None = None
) -> tuple[MaskList, np.ndarray, dict[str, Any]]:
    """Draw one block's split, the one that training draws.

    Returns:
        The images, the side of each, and plain data: ``split`` (type, block, digest), ``split_sizes``, ``classes``,
        ``duplicates`` as :func:`summarise_masks` has them (with ``duplicates: keep`` only that nobody looked).

    Raises:
        UserError: whatever training would refuse: files that cannot be used, leaks, classes without a training pixel.
    """
    images, labels = settings.listed()
    classes = labels.classes
    survey = survey_masks(
        images, lambda number: read_pair(images, labels, number), len(classes),
        likeness=settings.duplicates != "keep", progress=progress,
    )  # fmt: skip
    survey.one_kind(images)
    division = settings.divide(images, classes, survey, seeds)
    sides = division.sides
    found = {**_of_split(settings, images, sides, seeds), "duplicates": division.facts()}
    if division.duplicates is not None:
        found["duplicates"] |= _named(images, survey, division.duplicates, sides)
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


def _named(images: MaskList, survey: MaskSurvey, found: Duplicates, sides: np.ndarray | None) -> dict[str, Any]:
    """Copies by name."""
    torn = [group for group in found.near if sides is not None and len(set(sides[list(group)].tolist()) - {""}) > 1]
    relabelled = [group for group in found.identical if len({survey.digests[number] for number in group}) > 1]
    named = {"identical": found.identical, "near": found.near, "relabelled": relabelled, "crossing": torn}
    return {key: [[images.keys[number] for number in group] for group in groups] for key, groups in named.items()}


def _sizes(sizes_N2: np.ndarray) -> dict[str, list[int]]:
    areas = sizes_N2.prod(axis=1)
    return {"smallest": sizes_N2[areas.argmin()].tolist(), "largest": sizes_N2[areas.argmax()].tolist()}
