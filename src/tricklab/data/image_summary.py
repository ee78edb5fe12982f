"""What a set of labelled images holds, in numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from tricklab.data.duplicates import Duplicates, find_duplicates
from tricklab.data.image_division import Contradictions, Copies, Division, divide
from tricklab.data.image_list import ImageList
from tricklab.data.image_survey import Survey, survey_images
from tricklab.data.split import SPLITS
from tricklab.errors import UserError
from tricklab.seeds import Seeds

Progress = Callable[[int, int], None]


class ImageSettings(Protocol):
    """What is asked of the ``data:`` part of a classification recipe."""

    root: str | None
    split: Mapping[str, Any]
    duplicates: Copies
    contradictions: Contradictions
    unreadable: Any

    def read(self) -> ImageList:
        """List the images."""
        ...


def summarise_images(settings: ImageSettings, seeds: Seeds, progress: Progress | None = None) -> dict[str, Any]:
    """Classes, sizes, statistics, copies and faults of images, and their split; reports faults instead of refusing.

    Args:
        progress: called with (images looked at, images in all).

    Returns:
        Plain data: ``images, folder, per_class`` (``name, images`` and, with a split, ``train, val, test, unused``),
        ``sizes`` (``smallest, largest``: height and width; ``aspect_ratios``: smallest, median, largest), ``skipped``
        (files that are no images), ``unreadable`` (why, for each), ``duplicates`` (counts and the groups by name),
        ``statistics`` of ``all`` images and of ``train`` ones, ``split`` and ``split_sizes`` as
        :func:`summarise_image_split` has them, or ``split: {"refused": why}`` where none can be drawn.

    Raises:
        UserError: the images cannot be listed, or none can be read.
    """
    images = settings.read()
    survey = survey_images(images, unreadable="skip", progress=progress)
    readable = survey.readable
    if not readable.any():
        raise UserError(f"none of the {len(images):,} images can be read", where=images.name)
    found = find_duplicates(images, survey)
    everything: dict[str, Any] = {
        "folder": images.name,
        "images": len(images),
        "sizes": _sizes(survey.sizes[readable]),
        "skipped": [str(path) for path in images.skipped],
        "unreadable": list(survey.unreadable.values()),
        "duplicates": {
            **found.facts(),
            "identical": [[images.key(number) for number in group] for group in found.identical],
            "near": [[images.key(number) for number in group] for group in found.near],
            "contradictory": found.describe(images, found.contradictions),
        },
        "statistics": {"all": survey.moments.take(readable).pooled().to_dict()},
    }
    try:
        if survey.unreadable and settings.unreadable == "error":
            number = len(survey.unreadable)
            raise UserError(f"{number:,} image{'s' if number > 1 else ''} cannot be read, and unreadable: error is set")
        division = _divide(settings, images, survey, seeds, found)
    except UserError as refused:
        return {**everything, "per_class": _per_class(images, None), "split": {"refused": str(refused)}}
    everything["statistics"]["train"] = survey.moments.take(division.sides == "train").pooled().to_dict()
    return {**everything, **_of_split(settings, images, division, seeds)}


def summarise_image_split(
    settings: ImageSettings, seeds: Seeds, progress: Progress | None = None
) -> tuple[ImageList, Division, dict[str, Any]]:
    """Draw one block's split, the one that training draws.

    Returns:
        The images, the division, and plain data: ``split`` (type, block, digest), ``split_sizes``, ``per_class``,
        ``duplicates`` in counts, ``unreadable``.

    Raises:
        UserError: whatever training would refuse: unreadable images, contradictions, leaks.
    """
    images = settings.read()
    survey = survey_images(images, unreadable=settings.unreadable, progress=progress)
    division = _divide(settings, images, survey, seeds)
    found = {**_of_split(settings, images, division, seeds), "duplicates": division.facts()}
    return images, division, {**found, "unreadable": list(survey.unreadable.values())}


def _divide(
    settings: ImageSettings, images: ImageList, survey: Survey, seeds: Seeds, found: Duplicates | None = None
) -> Division:
    return divide(
        images,
        survey,
        settings.split,
        seeds,
        duplicates=settings.duplicates,
        contradictions=settings.contradictions,
        root=settings.root,
        found=found,
    )


def _of_split(settings: ImageSettings, images: ImageList, division: Division, seeds: Seeds) -> dict[str, Any]:
    sides = division.sides
    return {
        "split": {"type": settings.split["type"], "block": seeds.block, "digest": division.digest(images)},
        "split_sizes": {**{name: int((sides == name).sum()) for name in SPLITS}, "unused": int((sides == "").sum())},
        "per_class": _per_class(images, sides),
    }


def _per_class(images: ImageList, sides: np.ndarray | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"name": name, "images": int(count)} for name, count in zip(images.classes, images.counts(), strict=True)
    ]
    if sides is not None:
        for side in (*SPLITS, ""):
            for row, count in zip(rows, images.counts(sides == side), strict=True):
                row[side or "unused"] = int(count)
    return rows


def _sizes(sizes_N2: np.ndarray) -> dict[str, Any]:
    ratios = sizes_N2[:, 1] / sizes_N2[:, 0]
    areas = sizes_N2.prod(axis=1)
    return {
        "smallest": sizes_N2[areas.argmin()].tolist(),
        "largest": sizes_N2[areas.argmax()].tolist(),
        "aspect_ratios": [float(ratios.min()), float(np.median(ratios)), float(ratios.max())],
    }
