"""Write a scene in the formats that the readers read: for examples, tests and moving between tools."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tricklab.data.scene import Scene
from tricklab.errors import UserError, nearest

_HDF5_HEADER = b"MATLAB 7.3 MAT-file, written by tricklab"
_USER_BLOCK = 512
_MATLAB_CLASS = {"f4": "single", "f8": "double"}


def write_scene(scene: Scene, folder: Path, form: str, name: str = "scene") -> list[Path]:
    """Write cube and labels; nothing is overwritten.

    Args:
        scene: what to write; without labels only the cube is written.
        folder: made if it is missing.
        form: ``mat`` (version 5), ``mat73`` (HDF5), ``envi`` or ``geotiff``.
        name: first part of the file names; the labels are called ``<name>_gt``.

    Returns:
        The files to name in a recipe: cube first, then labels.

    Raises:
        UserError: unknown format, or a file that exists already.
    """
    if form not in _WRITERS:
        raise UserError(f"unknown format {form!r}", where="--format", fix=nearest(form, _WRITERS))
    suffix, write = _WRITERS[form]
    parts = [(scene.cube, name, False)] + ([(scene.labels, f"{name}_gt", True)] if scene.labels is not None else [])
    paths = [folder / f"{stem}{suffix}" for _, stem, _ in parts]
    companions = [path.with_suffix(".img") for path in paths] if form == "envi" else []
    present = [path for path in (*paths, *companions) if path.exists()]
    if present:
        raise UserError(
            "the file exists already", where=str(present[0]), fix="choose an empty folder; nothing is overwritten"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path, (values, stem, is_labels) in zip(paths, parts, strict=True):
        write(path, np.asarray(values), stem, is_labels, scene)
    return paths


def _write_mat(path: Path, values: np.ndarray, stem: str, is_labels: bool, scene: Scene) -> None:
    import scipy.io

    scipy.io.savemat(path, {stem: values}, do_compression=True)


def _write_mat73(path: Path, values: np.ndarray, stem: str, is_labels: bool, scene: Scene) -> None:
    import h5py

    with h5py.File(path, "w", userblock_size=_USER_BLOCK) as file:
        data = file.create_dataset(stem, data=np.ascontiguousarray(values.T), compression="gzip", shuffle=True)
        code = values.dtype.str[1:]
        kind = _MATLAB_CLASS.get(code, f"{'u' if values.dtype.kind == 'u' else ''}int{8 * values.dtype.itemsize}")
        data.attrs["MATLAB_class"] = np.bytes_(kind)
    head = _HDF5_HEADER.ljust(124) + (0x0200).to_bytes(2, "little") + b"IM"
    with path.open("r+b") as raw:
        raw.write(head)


def _write_envi(path: Path, values: np.ndarray, stem: str, is_labels: bool, scene: Scene) -> None:
    from spectral.io import envi

    fields: dict[str, object] = {"description": "written by tricklab", **_envi_place(scene)}
    if is_labels:
        names = [scene.class_names.get(number, f"class {number}") for number in range(int(values.max()) + 1)]
        envi.save_classification(str(path), values, dtype=values.dtype, class_names=names, metadata=fields, ext=".img")
        return
    if scene.wavelengths is not None:
        fields["wavelength"] = list(scene.wavelengths)
    if scene.nodata is not None:
        fields["data ignore value"] = scene.nodata
    envi.save_image(str(path), values, dtype=values.dtype, interleave="bil", metadata=fields, ext=".img")


def _envi_place(scene: Scene) -> dict[str, object]:
    """``map info`` for a grid that is not rotated, and the coordinate system where it is known."""
    fields: dict[str, object] = {}
    if scene.transform is not None:
        width, turn, x, other_turn, height, y = scene.transform
        if turn or other_turn or width <= 0 or height >= 0:
            raise UserError("an ENVI header holds no rotated grid", where="transform", fix="write geotiff")
        fields["map info"] = ["Arbitrary", 1, 1, x, y, width, -height]
    if scene.crs is not None:
        fields["coordinate system string"] = [scene.crs]
    return fields


def _write_geotiff(path: Path, values: np.ndarray, stem: str, is_labels: bool, scene: Scene) -> None:
    if scene.transform is not None or scene.crs is not None:
        _write_by_rasterio(path, values, is_labels, scene)
        return
    import tifffile

    planes = np.moveaxis(values, -1, 0) if values.ndim == 3 else values[None]
    tags = [] if scene.nodata is None or is_labels else [(42113, "s", 0, repr(float(scene.nodata)), True)]
    tifffile.imwrite(
        path,
        np.ascontiguousarray(planes[0] if len(planes) == 1 else planes),
        photometric="minisblack",
        planarconfig=None if len(planes) == 1 else "separate",
        compression="zlib",
        metadata=None,
        extratags=tags,
    )


def _write_by_rasterio(path: Path, values: np.ndarray, is_labels: bool, scene: Scene) -> None:
    if importlib.util.find_spec("rasterio") is None:
        raise UserError("writing coordinates needs rasterio", where=str(path), fix="install tricklab[geo]")
    import rasterio
    from rasterio.transform import Affine

    planes = values[None] if values.ndim == 2 else np.moveaxis(values, -1, 0)
    count, height, width = planes.shape
    place = {} if scene.transform is None else {"transform": Affine(*scene.transform)}
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count, dtype=planes.dtype.name,
        crs=scene.crs, nodata=None if is_labels else scene.nodata, compress="deflate", interleave="band", **place,
    ) as target:  # fmt: skip
        target.write(planes)
        if scene.wavelengths is not None and not is_labels:
            for number, wavelength in enumerate(scene.wavelengths, start=1):
                target.update_tags(number, wavelength=repr(float(wavelength)))


_Writer = Callable[[Path, np.ndarray, str, bool, Scene], None]
_WRITERS: dict[str, tuple[str, _Writer]] = {
    "mat": (".mat", _write_mat),
    "mat73": (".mat", _write_mat73),
    "envi": (".hdr", _write_envi),
    "geotiff": (".tif", _write_geotiff),
}
FORMATS = tuple(_WRITERS)
