"""A scene file read a few rows at a time, so that it may be larger than memory."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tricklab.data.formats.by_suffix import read_files
from tricklab.data.formats.label_files import TIFF_SUFFIXES
from tricklab.data.formats.tiff_pages import read_place
from tricklab.data.scene import Scene, check_cube
from tricklab.errors import UserError


@dataclass(frozen=True)
class SceneRows:
    """A cube that is read by rows.

    Attributes:
        shape: (height, width, bands).
        read: ``read(top, bottom)`` gives rows top … bottom - 1, (rows, width, bands).
        name: the file, for messages.
        nodata: value that marks missing measurements, or None.
        crs: coordinate reference system as text, or None.
        transform: a, b, c, d, e, f of the place on the ground, or None.
    """

    shape: tuple[int, int, int]
    read: Callable[[int, int], np.ndarray]
    name: str
    nodata: float | None = None
    crs: str | None = None
    transform: tuple[float, ...] | None = None


def open_rows(path: Path, key: str | None = None) -> SceneRows:
    """Open a scene by its suffix: ENVI and ``.npy`` are mapped, GeoTIFF is read by rows where rasterio is installed.

    Args:
        path: ``.hdr`` (ENVI), ``.tif``, ``.npy`` (height, width, bands) or ``.mat``; the last is read whole, and so is
            a TIFF whose bands are pages.
        key: name of the array in a MATLAB file with several.

    Raises:
        UserError: missing, unknown or unreadable file, or a key for a format without named arrays.
    """
    if not path.exists():
        raise UserError("no such file", where=str(path))
    suffix = path.suffix.lower()
    if key is not None and suffix != ".mat":
        raise UserError(f"{path.name} is no MATLAB file, so it has no array {key!r}", where="--key")
    if suffix == ".npy":
        try:
            cube = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as cause:
            raise UserError(f"not a readable .npy file ({cause})", where=str(path)) from cause
        check_cube(cube, str(path))
        return rows_of(Scene(cube, files=(str(path),)))
    rows = _geotiff(path) if suffix in TIFF_SUFFIXES and importlib.util.find_spec("rasterio") else None
    return rows or rows_of(read_files(path, image_key=key))


def rows_of(scene: Scene) -> SceneRows:
    """The rows of a scene that was read or mapped."""
    height, width, bands = scene.cube.shape

    def read(top: int, bottom: int) -> np.ndarray:
        return np.asarray(scene.cube[top:bottom])

    return SceneRows((height, width, bands), read, scene.name, scene.nodata, scene.crs, scene.transform)


def _geotiff(path: Path) -> SceneRows | None:
    """Rows of a TIFF by rasterio, or None where the bands are pages: GDAL would show the first page alone."""
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
    from rasterio.windows import Window

    place = read_place(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        source = rasterio.open(path)
    if source.subdatasets:
        source.close()
        return None
    height, width, bands = source.height, source.width, source.count

    def read(top: int, bottom: int) -> np.ndarray:
        try:
            planes = source.read(window=Window(0, top, width, bottom - top))
        except RasterioIOError as cause:
            raise UserError(f"damaged GeoTIFF ({cause})", where=str(path)) from cause
        cube = np.moveaxis(planes, 0, -1)
        check_cube(cube, str(path))
        return cube

    return SceneRows((height, width, bands), read, str(path), place.nodata, place.crs, place.transform)
