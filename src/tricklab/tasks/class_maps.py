"""Class maps as files: numbers in a raster with its place on the ground, and a picture."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tricklab.errors import UserError, nearest

FORMATS = ("geotiff", "envi", "npy")
LARGEST_PICTURE = 4096
# Okabe and Ito's palette, then further hues of other lightness, all told apart by people who confuse red and green
_COLOURS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
    (153, 153, 153), (102, 51, 0), (170, 220, 140), (75, 0, 130), (255, 200, 180), (0, 80, 60), (140, 140, 255),
    (120, 20, 60), (200, 240, 255),
)  # fmt: skip


def colour(number: int) -> tuple[int, int, int]:
    """Colour of a class, 0 and up; the palette repeats darker after 16."""
    red, green, blue = _COLOURS[number % len(_COLOURS)]
    darker = 0.6 ** (number // len(_COLOURS))
    return round(red * darker), round(green * darker), round(blue * darker)


def empty_id(label_ids: Sequence[int]) -> int:
    """The id for pixels without a measurement: 0, or the smallest number that is no class.

    >>> empty_id([1, 2]), empty_id([0, 1])
    (0, 2)
    """
    return next(number for number in range(len(label_ids) + 1) if number not in label_ids)


def to_ids(classes_HW: np.ndarray, label_ids: Sequence[int]) -> np.ndarray:
    """Class numbers (-1: no measurement) to the files' label ids, in the smallest unsigned type that holds them."""
    if min(label_ids) < 0:
        raise UserError("negative label ids cannot be written as a class map", where="label_ids")
    table = np.array([*label_ids, empty_id(label_ids)])
    return table.astype(np.min_scalar_type(int(table.max())))[classes_HW]


def file_of(stem: Path, suffix: str) -> Path:
    """The stem's file with a suffix; dots in the stem stay.

    >>> file_of(Path("maps/salinas.2"), ".tif").name
    'salinas.2.tif'
    """
    return stem.with_name(stem.name + suffix)


def write_map(
    ids_HW: np.ndarray,
    stem: Path,
    form: str,
    names: Mapping[int, str],
    crs: str | None = None,
    transform: Sequence[float] | None = None,
) -> Path:
    """Write a class map.

    Args:
        ids_HW: unsigned label ids.
        stem: path without suffix; the folder exists.
        form: ``geotiff``, ``envi`` or ``npy``.
        names: {label id: name}; what is not in it counts as "no measurement".
        crs, transform: place on the ground, kept where the format and the installed packages can.

    Raises:
        UserError: unknown format; coordinates to write and no rasterio (GeoTIFF); a rotated grid (ENVI).
    """
    if form not in FORMATS:
        raise UserError(f"unknown format {form!r}", where="--format", fix=nearest(form, FORMATS))
    if form == "npy":
        np.save(file_of(stem, ".npy"), ids_HW)
        return file_of(stem, ".npy")
    if form == "envi":
        return _write_envi(ids_HW, file_of(stem, ".hdr"), names, crs, transform)
    return _write_geotiff(ids_HW, file_of(stem, ".tif"), names, crs, transform)


def write_picture(classes_HW: np.ndarray, path: Path) -> Path:
    """A PNG with one colour per class, black where there is no measurement; every n-th pixel of a very large map."""
    from PIL import Image

    every = -(-max(classes_HW.shape) // LARGEST_PICTURE)
    shown = classes_HW[::every, ::every]
    palette = np.array([*(colour(number) for number in range(int(shown.max()) + 1)), (0, 0, 0)], dtype=np.uint8)
    Image.fromarray(palette[shown]).save(path)
    return path


def _write_geotiff(
    ids_HW: np.ndarray, path: Path, names: Mapping[int, str], crs: str | None, transform: Sequence[float] | None
) -> Path:
    if not importlib.util.find_spec("rasterio"):
        if crs is not None or transform is not None:
            raise UserError("writing coordinates needs rasterio", where=str(path), fix="pip install 'tricklab[geo]'")
        import tifffile

        tifffile.imwrite(path, ids_HW, photometric="minisblack", compression="zlib", metadata=None)
        return path
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.transform import Affine

    place = {} if transform is None else {"transform": Affine(*transform)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", height=ids_HW.shape[0], width=ids_HW.shape[1], count=1,
            dtype=ids_HW.dtype.name, crs=crs, compress="deflate", **place,
        ) as target:  # fmt: skip
            target.write(ids_HW, 1)
            target.update_tags(1, **{f"class_{number}": name for number, name in names.items()})
            if ids_HW.dtype == np.uint8:
                shades = {number: (*colour(place), 255) for place, number in enumerate(sorted(names))}
                target.write_colormap(1, {**dict.fromkeys(range(256), (0, 0, 0, 255)), **shades})
    return path


def _write_envi(
    ids_HW: np.ndarray, path: Path, names: Mapping[int, str], crs: str | None, transform: Sequence[float] | None
) -> Path:
    from spectral.io import envi

    metadata: dict[str, object] = {"description": "class map written by tricklab"}
    if transform is not None:
        width, turn, x, other_turn, height, y = transform
        if turn or other_turn or width <= 0 or height >= 0:
            raise UserError("an ENVI header holds no rotated grid", where=str(path), fix="--format geotiff")
        metadata["map info"] = ["Arbitrary", 1, 1, x, y, width, -height]
    if crs is not None:
        metadata["coordinate system string"] = [crs]
    largest = max(int(ids_HW.max()), *names)
    shades = [(0, 0, 0)] * (largest + 1)
    for place, number in enumerate(sorted(names)):
        shades[number] = colour(place)
    envi.save_classification(
        str(path), ids_HW, dtype=ids_HW.dtype, force=True, ext=".img", metadata=metadata,
        class_names=[names.get(number, "no measurement") for number in range(largest + 1)],
        class_colors=[list(shade) for shade in shades],
    )  # fmt: skip
    return path
