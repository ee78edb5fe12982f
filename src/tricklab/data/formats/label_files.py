"""A label map from any of the formats, chosen by the file's suffix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tricklab.data.formats.mat_arrays import pick, read_array
from tricklab.data.lookup import find_file
from tricklab.data.scene import Scene
from tricklab.errors import UserError

TIFF_SUFFIXES = {".tif", ".tiff"}
ENVI_SUFFIXES = {".hdr", ".img", ".dat", ".raw", ".bil", ".bip", ".bsq", ".envi"}


@dataclass(frozen=True)
class LabelFile:
    """Ids as they stand in the file, (height, width), the names that it gives them, and the ids it calls missing."""

    ids: np.ndarray
    names: dict[int, str] = field(default_factory=dict)
    unlabelled: tuple[int, ...] = ()


def read_label_file(
    path: Path,
    key: str | None = None,
    *,
    shape: tuple[int, int] | None = None,
    option: str = "data.scene.labels_key",
) -> LabelFile:
    """Read a label map.

    Args:
        path: a ``.mat``, TIFF or ENVI file.
        key: array name in a ``.mat`` file.
        shape: the cube's (height, width), which decides between several arrays of a ``.mat`` file.
        option: the recipe key that would name the array, for errors.

    Raises:
        UserError: unknown suffix, a key for a format without arrays, or not one two-dimensional array.
    """
    suffix = path.suffix.lower()
    if suffix == ".mat":
        return LabelFile(read_array(path, pick(path, key, axes=2, what="label map", option=option, shape=shape)))
    if key is not None:
        raise UserError(f"{path.name} is no MATLAB file, so it has no array {key!r}", where=option)
    if suffix in TIFF_SUFFIXES:
        from tricklab.data.formats.tiff_pages import read_place, read_tiff

        return LabelFile(_one_band(read_tiff(path), path), unlabelled=_whole(read_place(path).nodata))
    if suffix in ENVI_SUFFIXES:
        from tricklab.data.formats.envi_files import read_envi

        found = read_envi(path)
        return LabelFile(_one_band(found.cube, path), found.class_names, _whole(found.nodata))
    raise UserError(
        f"unknown kind of label file {path.suffix!r}", where=str(path), fix="known: .mat, .tif, .hdr (ENVI)"
    )


def with_labels(scene: Scene, labels: str | None, keys: str | Sequence[str] | None, root: str | None) -> Scene:
    """A scene with the label map that a recipe names, or as it is where it names none.

    Args:
        keys: array name, or several whose maps are laid over each other: a map fills the others' zeros.
    """
    if labels is None:
        return scene
    path = find_file(labels, root, key="data.scene.labels")
    height, width, _ = scene.cube.shape
    wanted = [keys] if keys is None or isinstance(keys, str) else list(keys)
    if not wanted:
        raise UserError("an empty list of array names", where="data.scene.labels_key")
    found = read_label_file(path, wanted[0], shape=(height, width))
    ids = found.ids
    for key in wanted[1:]:
        more = read_label_file(path, key, shape=(height, width)).ids
        if more.shape != ids.shape:
            raise UserError(f"the arrays {', '.join(map(str, wanted))} differ in size", where=str(path))
        both = (ids != 0) & (more != 0) & (ids != more)
        if both.any():
            raise UserError(f"{int(both.sum()):,} pixels have two labels, one of them in {key}", where=str(path))
        ids = np.where(ids != 0, ids, more)
    files = (*scene.files, str(path))
    return replace(scene, labels=ids, class_names=found.names, unlabelled=found.unlabelled, files=files)


def _one_band(cube_HWB: np.ndarray, path: Path) -> np.ndarray:
    if cube_HWB.shape[2] != 1:
        raise UserError(f"a label map has one band, this file has {cube_HWB.shape[2]}", where=str(path))
    return cube_HWB[:, :, 0]


def _whole(nodata: float | None) -> tuple[int, ...]:
    return (int(nodata),) if nodata is not None and float(nodata).is_integer() else ()
