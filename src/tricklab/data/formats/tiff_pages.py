"""TIFF rasters with any order of axes, and what GeoTIFF tags say about the place."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tricklab.errors import UserError

_NODATA_TAG = 42113


@dataclass(frozen=True)
class TiffPlace:
    """What a TIFF says beside its values; None where it, or the reader at hand, says nothing.

    Args:
        nodata: GDAL's no-data value.
        crs: coordinate reference system, needs rasterio.
        transform: a, b, c, d, e, f, needs rasterio.
        wavelengths: one per band, from the bands' ``wavelength`` items, needs rasterio.
    """

    nodata: float | None = None
    crs: str | None = None
    transform: tuple[float, ...] | None = None
    wavelengths: tuple[float, ...] | None = None


def read_tiff(path: Path) -> np.ndarray:
    """Values of a TIFF, (height, width, bands).

    Raises:
        UserError: not a TIFF, a compression that no installed package reads, or more than three axes.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            axes, shape = series.axes, series.shape
            values = series.asarray()
            if values.ndim != len(axes):
                raise ValueError(f"values of shape {values.shape} for axes {axes}")
    except tifffile.TiffFileError as cause:
        raise UserError(f"not a TIFF file ({cause})", where=str(path)) from cause
    except Exception as cause:  # tifffile lets whatever a damaged tag or strip causes through
        codec = isinstance(cause, ImportError) or "imagecodecs" in str(cause)
        if codec and importlib.util.find_spec("rasterio"):
            return _read_by_rasterio(path)
        fix = "its compression needs tricklab[geo], or imagecodecs" if codec else None
        raise UserError(f"not a readable TIFF file ({cause})", where=str(path), fix=fix) from cause
    others = [number for number, axis in enumerate(axes) if axis not in "YX"]
    if "Y" not in axes or "X" not in axes or len(others) > 1:
        raise UserError(f"axes {axes} of shape {shape}, not rows, columns and bands", where=str(path))
    if not others:
        return values[:, :, None]
    return np.transpose(values, (axes.index("Y"), axes.index("X"), others[0]))


def read_place(path: Path) -> TiffPlace:
    """The no-data value, and with rasterio (extra ``geo``) the coordinate system, transform and wavelengths."""
    if importlib.util.find_spec("rasterio") is None:
        return TiffPlace(nodata=_nodata_by_tifffile(path))
    with _opened_by_rasterio(path) as source:
        identity = tuple(source.transform)[:6] == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        tags = [source.tags(number).get("wavelength") for number in source.indexes]
        try:
            wavelengths = tuple(float(tag.split()[0]) for tag in tags) if all(tags) else None
        except ValueError:
            wavelengths = None
        return TiffPlace(
            nodata=None if source.nodata is None else float(source.nodata),
            crs=source.crs.to_wkt() if source.crs else None,
            transform=None if identity else tuple(float(item) for item in tuple(source.transform)[:6]),
            wavelengths=wavelengths,
        )


def _nodata_by_tifffile(path: Path) -> float | None:
    import tifffile

    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags.get(_NODATA_TAG)  # type: ignore[union-attr]
    if tag is None:
        return None
    try:
        return float(str(tag.value).strip("\0 "))
    except ValueError:
        raise UserError(f"the no-data value {tag.value!r} is no number", where=str(path)) from None


def _read_by_rasterio(path: Path) -> np.ndarray:
    with _opened_by_rasterio(path) as source:
        return np.moveaxis(source.read(), 0, -1)


def _opened_by_rasterio(path: Path) -> Any:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            return rasterio.open(path)
        except RasterioIOError as cause:
            raise UserError(f"not a readable GeoTIFF ({cause})", where=str(path)) from cause
