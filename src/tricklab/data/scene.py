"""A hyperspectral scene as it was read: cube, labels and what the files say about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tricklab.errors import UserError

_VALUES_PER_CHUNK = 1 << 24


@dataclass(frozen=True)
class Scene:
    """Cube and label map, untouched.

    Args:
        cube: (height, width, bands), any real dtype.
        labels: (height, width) label ids as in the file, or None for a scene without labels.
        wavelengths: one per band, in the unit of the file, or None.
        class_names: {label id: name}, as far as the files say.
        nodata: value that marks missing measurements, or None.
        unlabelled: label ids that the label map's own file calls missing.
        crs: coordinate reference system as text (WKT or EPSG), or None.
        transform: the six numbers a, b, c, d, e, f of x = a·column + b·row + c, y = d·column + e·row + f, or None.
        files: where it came from, the cube's file first.
    """

    cube: np.ndarray
    labels: np.ndarray | None = None
    wavelengths: tuple[float, ...] | None = None
    class_names: dict[int, str] = field(default_factory=dict)
    nodata: float | None = None
    unlabelled: tuple[int, ...] = ()
    crs: str | None = None
    transform: tuple[float, ...] | None = None
    files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The cube's file, for messages."""
        return self.files[0] if self.files else "scene"

    @property
    def labels_name(self) -> str:
        """The label map's file, for messages."""
        return self.files[-1] if self.files else "labels"


class SceneReader(Protocol):
    """What a component of kind ``scene`` offers."""

    def read(self) -> Scene:
        """Read the files. Raises UserError for anything that is not a usable scene."""
        ...


def missing_values(values: np.ndarray, nodata: float | None) -> np.ndarray:
    """Where a cube holds its data ignore value, bool of the same shape.

    Args:
        values: any real dtype; the data ignore value is compared as a number of that precision.
        nodata: NaN is allowed; None means that nothing is missing.
    """
    if nodata is None:
        return np.zeros(values.shape, dtype=bool)
    if np.isnan(nodata):
        return np.asarray(np.isnan(values))
    if values.dtype.kind != "f":
        return np.equal(values, nodata)
    with np.errstate(over="ignore"):
        rounded = values.dtype.type(nodata)
    if np.isinf(rounded) and not np.isinf(nodata):  # no value of this precision can be it
        return np.zeros(values.shape, dtype=bool)
    return np.asarray(values == rounded)


def valid_pixels(cube_HWB: np.ndarray, nodata: float | None, name: str, band_numbers: np.ndarray) -> np.ndarray:
    """Pixels that hold a measurement in every band, (height, width) bool.

    Args:
        cube_HWB: the bands that are used, (height, width, bands).
        nodata: the value that marks a missing measurement; NaN is allowed; None means that there is none.
        name: the file, for errors.
        band_numbers: the file's 1-based number of each band of the cube.

    Raises:
        UserError: no pixel is complete; the message names the bands that are missing everywhere.
    """
    if nodata is None:
        return np.ones(cube_HWB.shape[:2], dtype=bool)
    missing = missing_values(cube_HWB, nodata)
    valid = ~np.asarray(missing.any(axis=2))
    if not valid.any():
        empty = band_numbers[missing.all(axis=(0, 1))]
        listed = f"missing everywhere: {', '.join(map(str, empty[:20]))}{' …' if empty.size > 20 else ''}"
        raise UserError(
            f"no pixel holds a measurement in every band: each has the data ignore value {nodata:g} somewhere",
            where=name,
            fix=f"remove such bands with data.remove_bands; {listed if empty.size else 'none is missing everywhere'}",
        )
    return valid


def check_cube(cube: np.ndarray, name: str) -> None:
    """Refuse what is not a cube of real numbers.

    Raises:
        UserError: not three axes, an empty axis, or not a real numeric dtype.
    """
    if cube.ndim != 3 or 0 in cube.shape:
        raise UserError(f"the cube has shape {cube.shape}, not (height, width, bands)", where=name)
    if cube.dtype.kind not in "iuf":
        raise UserError(f"the cube has dtype {cube.dtype}, not real numbers", where=name)


def check_finite(
    cube_HWB: np.ndarray, valid_HW: np.ndarray, name: str, band_numbers: np.ndarray, first_row: int = 0
) -> None:
    """Refuse NaN and infinite values at valid pixels.

    Args:
        band_numbers: the file's 1-based number of each band of the cube.
        first_row: the scene's number of the cube's first row, for a cube that is a strip of a scene.

    Raises:
        UserError: says how many, where the first is, and which bands hold them.
    """
    if cube_HWB.dtype.kind != "f":
        return
    height, width, bands = cube_HWB.shape
    rows = max(1, _VALUES_PER_CHUNK // max(1, width * bands))
    count, first, affected = 0, None, np.zeros(bands, dtype=bool)
    for top in range(0, height, rows):
        bad = ~np.isfinite(cube_HWB[top : top + rows]) & valid_HW[top : top + rows, :, None]
        if not bad.any():
            continue
        if first is None:
            row, column, band = np.unravel_index(int(bad.argmax()), bad.shape)
            first = (int(row) + top + first_row, int(column), int(band_numbers[band]))
        count += int(bad.sum())
        affected |= bad.any(axis=(0, 1))
    if first is None:
        return
    numbers = band_numbers[affected]
    shown = ", ".join(map(str, numbers[:12])) + (" …" if numbers.size > 12 else "")
    raise UserError(
        f"{count:,} of {cube_HWB.size:,} values are NaN or infinite, the first at row {first[0]}, column {first[1]}, "
        f"band {first[2]}; bands concerned: {shown}",
        where=name,
        fix="repair the file, remove the bands with data.remove_bands, or let the file state its data ignore value",
    )
