"""ENVI files: a raw array beside a text header, any interleave and byte order."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tricklab.errors import UserError

_DATA_SUFFIXES = ("", ".img", ".dat", ".raw", ".bsq", ".bil", ".bip", ".envi")
_DTYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
_AXES = {
    "bsq": ("bands", "lines", "samples"),
    "bil": ("lines", "bands", "samples"),
    "bip": ("lines", "samples", "bands"),
}


@dataclass(frozen=True)
class EnviFile:
    """Contents of an ENVI file.

    Args:
        cube: (height, width, bands), mapped from the file.
        wavelengths: one per band in the header's unit, or None.
        nodata: the header's ``data ignore value``, or None.
        class_names: {id: name} of a classification file.
        crs: the header's ``coordinate system string`` (WKT), or None.
        transform: a, b, c, d, e, f from the header's ``map info``, or None (none, or a rotated grid).
    """

    cube: np.ndarray
    wavelengths: tuple[float, ...] | None = None
    nodata: float | None = None
    class_names: dict[int, str] = field(default_factory=dict)
    crs: str | None = None
    transform: tuple[float, ...] | None = None


def read_envi(path: Path) -> EnviFile:
    """Read an ENVI image: the header by ``spectral``, the values mapped by what the header says.

    Args:
        path: the header (``.hdr``) or the data file beside it.

    Raises:
        UserError: header or data file missing, a damaged header, values that are not real numbers, a compressed file, a
            data file of another size than the header says.
    """
    header, data = _pair(path)
    fields = _fields(header)
    cube = _mapped(fields, header, data)
    wavelengths = _numbers(fields, "wavelength", header)
    if wavelengths is not None and len(wavelengths) != cube.shape[2]:
        raise UserError(f"the header lists {len(wavelengths)} wavelengths for {cube.shape[2]} bands", where=str(header))
    nodata = _numbers(fields, "data ignore value", header)
    return EnviFile(
        cube,
        wavelengths=wavelengths,
        nodata=None if nodata is None else nodata[0],
        class_names=dict(enumerate(_items(fields, "class names"))),
        crs=", ".join(_items(fields, "coordinate system string")) or None,
        transform=_affine(fields, header),
    )


def _fields(header: Path) -> dict[str, str | list[str]]:
    """The header's entries; names in lower case."""
    from spectral.io import envi, spyfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about names in upper case
            return envi.read_envi_header(str(header))
    except (spyfile.SpyException, OSError, ValueError) as cause:
        raise UserError(f"not a readable ENVI file ({type(cause).__name__}: {cause})", where=str(header)) from cause


def _mapped(fields: dict[str, str | list[str]], header: Path, data: Path) -> np.ndarray:
    """The values, (height, width, bands), mapped from the file."""
    kind = str(fields.get("file type", "")).lower()
    if "library" in kind or str(fields.get("file compression", "0")) != "0":
        what = "a compressed file" if "library" not in kind else "a spectral library"
        raise UserError(f"{what}, not an image of plain values", where=str(header))
    sizes = {name: _whole(fields, name, header, 1) for name in ("lines", "samples", "bands")}
    code = _whole(fields, "data type", header, 1)
    if code not in _DTYPES:
        raise UserError(f"data type {code} is none of real numbers: {', '.join(map(str, _DTYPES))}", where=str(header))
    interleave = str(fields.get("interleave", "")).lower()
    if interleave not in _AXES:
        raise UserError(f"interleave {interleave!r}", where=str(header), fix="bsq, bil or bip")
    order = _whole(fields, "byte order", header, 0)
    if order > 1:
        raise UserError(f"byte order {order}", where=str(header), fix="0 (little endian) or 1 (big endian)")
    offset = _whole(fields, "header offset", header, 0) if "header offset" in fields else 0
    dtype = np.dtype("<>"[order] + _DTYPES[code])
    expected, found = offset + math.prod(sizes.values()) * dtype.itemsize, data.stat().st_size
    if found != expected:
        raise UserError(
            f"the header asks for {expected:,} bytes, the file has {found:,}",
            where=str(data),
            fix="correct samples, lines, bands, data type or header offset in the header",
        )
    axes = _AXES[interleave]
    values = np.memmap(data, dtype, "r", offset, tuple(sizes[axis] for axis in axes))
    return np.asarray(values).transpose([axes.index(axis) for axis in ("lines", "samples", "bands")])


def _pair(path: Path) -> tuple[Path, Path]:
    """Header and data file, whichever of the two was named."""
    if path.suffix.lower() == ".hdr":
        stem = path.with_suffix("")
        data = [stem.with_name(stem.name + suffix) for suffix in _DATA_SUFFIXES]
        found = [candidate for candidate in data if candidate.is_file()]
        if not found:
            tried = ", ".join(candidate.name for candidate in data)
            raise UserError(f"no data file beside the header; tried {tried}", where=str(path))
        return path, found[0]
    headers = [path.with_name(path.name + ".hdr"), path.with_suffix(".hdr"), path.with_suffix(".HDR")]
    for header in headers:
        if header.is_file():
            return header, path
    raise UserError(
        f"no ENVI header beside the file; tried {', '.join(header.name for header in headers)}", where=str(path)
    )


def _items(fields: dict[str, str | list[str]], name: str) -> list[str]:
    """An entry as a list, whether it stands in braces or not; empty where the header lacks it."""
    value = fields.get(name) or []
    items = [value] if isinstance(value, str) else list(value)
    return items[:-1] if items and not items[-1] else items  # a comma may stand behind the last


def _numbers(fields: dict[str, str | list[str]], name: str, header: Path) -> tuple[float, ...] | None:
    items = _items(fields, name)
    try:
        return tuple(float(item) for item in items) or None
    except ValueError as cause:
        raise UserError(f"{name} holds something other than numbers ({cause})", where=str(header)) from cause


def _whole(fields: dict[str, str | list[str]], name: str, header: Path, least: int) -> int:
    text = ", ".join(_items(fields, name))
    if not text:
        raise UserError(f"the header lacks {name!r}", where=str(header))
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise UserError(f"{name} is {text!r}, not a whole number from {least} up", where=str(header))
    return int(text)


def _affine(fields: dict[str, str | list[str]], header: Path) -> tuple[float, ...] | None:
    """``map info`` = {projection, reference column, reference row (1-based), x, y, pixel width, pixel height, …}.

    None where there is none, or the grid is rotated.
    """
    info = _items(fields, "map info")
    turns = [item.partition("=")[2].strip() for item in info if item.lower().startswith("rotation")]
    if len(info) < 7:
        return None
    try:
        column, row, x, y, width, height, *turned = (float(item) for item in (*info[1:7], *turns))
    except ValueError as cause:
        raise UserError(f"map info holds something other than numbers ({cause})", where=str(header)) from cause
    if any(turned):
        return None
    return (width, 0.0, x - (column - 1) * width, 0.0, -height, y + (row - 1) * height)
