"""ENVI files: a raw array beside a text header, any interleave and byte order."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tricklab.errors import UserError

_DATA_SUFFIXES = ("", ".img", ".dat", ".raw", ".bsq", ".bil", ".bip", ".envi")


@dataclass(frozen=True)
class EnviFile:
    """Contents of an ENVI file.

    Args:
        cube: (height, width, bands), mapped from the file.
        wavelengths: one per band in the header's unit, or None.
        nodata: the header's ``data ignore value``, or None.
        class_names: {id: name} of a classification file.
        crs: the header's ``coordinate system string`` (WKT), or None.
        transform: a, b, c, d, e, f from the header's ``map info``, or None.
    """

    cube: np.ndarray
    wavelengths: tuple[float, ...] | None = None
    nodata: float | None = None
    class_names: dict[int, str] = field(default_factory=dict)
    crs: str | None = None
    transform: tuple[float, ...] | None = None


def read_envi(path: Path) -> EnviFile:
    """Read an ENVI file through ``spectral``.

    Args:
        path: the header (``.hdr``) or the data file beside it.

    Raises:
        UserError: header or data file missing, a damaged header, a data file of another size than the header says.
    """
    from spectral.io import envi, spyfile

    header, data = _pair(path)
    try:
        image = envi.open(str(header), str(data))
        fields = image.metadata
        expected = int(np.prod(image.shape)) * np.dtype(image.dtype).itemsize + int(fields.get("header offset", 0))
        if data.stat().st_size < expected:
            raise UserError(
                f"the header asks for {expected:,} bytes, the file has {data.stat().st_size:,}", where=str(data)
            )
        view = image.open_memmap(interleave="bip", writable=False)
        cube = np.asarray(view)
        wavelengths = _numbers(fields.get("wavelength"), cube.shape[2], header)
        nodata = fields.get("data ignore value")
        names = fields.get("class names")
        return EnviFile(
            cube,
            wavelengths=wavelengths,
            nodata=None if nodata in (None, "") else float(str(nodata)),
            class_names={number: str(name) for number, name in enumerate(names)} if names else {},
            crs=_text(fields.get("coordinate system string")),
            transform=_affine(fields.get("map info"), header),
        )
    except UserError:
        raise
    except (spyfile.SpyException, OSError, ValueError, KeyError, TypeError) as cause:
        raise UserError(f"not a readable ENVI file ({type(cause).__name__}: {cause})", where=str(header)) from cause


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


def _numbers(texts: list[str] | None, bands: int, header: Path) -> tuple[float, ...] | None:
    if not texts:
        return None
    if len(texts) != bands:
        raise UserError(f"the header lists {len(texts)} wavelengths for {bands} bands", where=str(header))
    return tuple(float(text) for text in texts)


def _text(value: str | list[str] | None) -> str | None:
    if not value:
        return None
    return value if isinstance(value, str) else ", ".join(value)


def _affine(info: list[str] | None, header: Path) -> tuple[float, ...] | None:
    """``map info`` = {projection, reference column, reference row (1-based), x, y, pixel width, pixel height, …}."""
    if not info or len(info) < 7 or any("rotation" in str(item) for item in info):
        return None
    column, row, x, y, width, height = (float(item) for item in info[1:7])
    return (width, 0.0, x - (column - 1) * width, 0.0, -height, y + (row - 1) * height)
