"""What a run records of its images beside their numbers: copies, statistics, shapes, kinds of files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from tricklab.data.duplicates import Duplicates
from tricklab.data.image_list import ImageList
from tricklab.data.image_statistics import ImageMoments
from tricklab.data.image_survey import Survey
from tricklab.data.image_threads import map_images
from tricklab.errors import UserError

_SHOWN = 5
_LOOKED_AT = 100
_DISTORTED = 1.25
_TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")


def image_facts(
    images: ImageList,
    survey: Survey,
    sides: np.ndarray,
    found: Duplicates | None,
    size: tuple[int, int],
    resize: str,
    used: tuple[Sequence[float], Sequence[float]] | None,
) -> dict[str, Any]:
    """Facts by their recorded names.

    Args:
        survey: of these images.
        sides: ``train``, ``val``, ``test`` or "" for each image, ``<U5``, (N,).
        found: the images' copies; None where nobody looked.
        size: height and width that the network sees.
        resize: how images are brought to it.
        used: mean and deviation of each channel that the normalisation takes off; None where it has none.

    Returns:
        ``data/class_names``; ``data/copies`` (``crossing``: images of val and test with a copy among the training
        images; ``examples``; ``contradictory``); ``data/statistics`` of ``train`` and ``all`` images (``mean``,
        ``std``, and the means of the images' own, ``mean_of_image_means`` and ``mean_of_image_stds``);
        ``data/normalised`` (mean and deviation of training pixels after normalisation); ``data/shapes``;
        ``data/skipped_files``.
    """
    readable = survey.readable
    train = (sides == "train") & readable
    statistics = {
        name: _statistics(survey.moments.take(chosen))
        for name, chosen in (("train", train), ("all", readable))
        if chosen.any()
    }
    return {
        "data/class_names": list(images.classes),
        "data/copies": None if found is None else copies_across(images, sides, found),
        "data/statistics": statistics,
        "data/normalised": _normalised(statistics.get("train"), used),
        "data/shapes": _shapes(survey.sizes[readable], size, resize) if readable.any() else None,
        "data/skipped_files": {"count": len(images.skipped), "first": [str(path) for path in images.skipped[:_SHOWN]]},
    }


def _statistics(moments: ImageMoments) -> dict[str, list[float]]:
    found = moments.pooled()
    own_means = (moments.sums / moments.pixels[:, None] / 255).mean(axis=0)
    values = {key: getattr(found, key) for key in ("mean", "std", "mean_of_image_stds")}
    return {key: value.tolist() for key, value in {**values, "mean_of_image_means": own_means}.items()}


def file_kinds(images: ImageList) -> dict[str, Any]:
    """What kinds of pixels the files hold, from their heads alone.

    Returns:
        ``{kind: {"count": …, "first": [names]}}`` of the kinds that are not plain 8-bit colour or grey:
        ``transparent``, ``cmyk``, ``sixteen_bits`` (with ``largest``, a share of the range, of up to 100 of them),
        ``grey``; and ``images``, how many were looked at.
    """
    modes = map_images(lambda number: _kind(images, number), len(images))
    found: dict[str, Any] = {"images": len(images)}
    for kind in ("transparent", "cmyk", "sixteen_bits", "grey"):
        numbers = [number for number, mode in enumerate(modes) if mode == kind]
        if numbers:
            found[kind] = {"count": len(numbers), "first": [images.key(number) for number in numbers[:_SHOWN]]}
            if kind == "sixteen_bits":
                found[kind]["largest"] = _largest(images, numbers[:: -(-len(numbers) // _LOOKED_AT)])
    return found


def _kind(images: ImageList, number: int) -> str:
    path = images.paths[number]
    if path is None:
        return ""
    try:
        with Image.open(path) as image:
            mode, about = image.mode, image.info
    except Exception:  # what cannot be read is reported by the survey
        return ""
    if mode in _TRANSPARENT or "transparency" in about:
        return "transparent"
    if mode == "CMYK":
        return "cmyk"
    if mode.startswith("I"):
        return "sixteen_bits"
    return "grey" if mode in ("1", "L") else ""


def _largest(images: ImageList, numbers: Sequence[int]) -> float:
    """The largest value of 16-bit images, a share of the range; those that cannot be read count as 0."""

    def one(place: int) -> float:
        try:
            return float(images.read(numbers[place]).max()) / 255
        except UserError:
            return 0.0

    return max(map_images(one, len(numbers)))


def copies_across(images: ImageList, sides: np.ndarray, found: Duplicates) -> dict[str, Any]:
    """How many evaluated images have a copy among the training images: the fact ``data/copies``.

    Args:
        sides: ``train``, ``val``, ``test`` or "" for each image, ``<U5``, (N,).
        found: the images' copies.
    """
    among_training = np.isin(found.units, found.units[sides == "train"])
    crossing = {name: among_training & (sides == name) for name in ("val", "test")}
    units = np.unique(found.units[crossing["val"] | crossing["test"]])
    examples = []
    for unit in units[:_SHOWN].tolist():
        members = np.flatnonzero(found.units == unit).tolist()
        examples.append(" = ".join(f"{images.key(number)} ({sides[number] or 'unused'})" for number in members[:4]))
    inside = found.contradictions and [group for group in found.contradictions if (sides[list(group)] != "").any()]
    return {
        "crossing": {name: int(mask.sum()) for name, mask in crossing.items()},
        "sizes": {name: int((sides == name).sum()) for name in crossing},
        "examples": examples,
        "contradictory": len(found.contradictions),
        "contradictory_used": len(inside),
        "contradictory_examples": found.describe(images, found.contradictions[:_SHOWN]),
    }


def _normalised(
    train: dict[str, list[float]] | None, used: tuple[Sequence[float], Sequence[float]] | None
) -> dict[str, list[float]] | None:
    if train is None or used is None:
        return None
    mean, std = np.array(used[0]), np.array(used[1])
    return {
        "mean": ((np.array(train["mean"]) - mean) / std).tolist(),
        "std": (np.array(train["std"]) / std).tolist(),
    }


def _shapes(sizes_N2: np.ndarray, size: tuple[int, int], resize: str) -> dict[str, Any]:
    """How the images' sizes stand to the network's."""
    height, width = sizes_N2[:, 0] / size[0], sizes_N2[:, 1] / size[1]
    stretched = np.maximum(width / height, height / width)
    return {
        "size": list(size),
        "resize": resize,
        "enlarged_share": float(((height < 1) | (width < 1)).mean()),
        "median_shrinking": float(np.median(np.sqrt(height * width))),
        "distorted_share": float((stretched > _DISTORTED).mean()),
        "largest_distortion": float(stretched.max()),
    }
