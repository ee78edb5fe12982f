"""A scene from files alone, the reader chosen by the suffix."""

from __future__ import annotations

from pathlib import Path

from tricklab.data.formats.label_files import ENVI_SUFFIXES, TIFF_SUFFIXES
from tricklab.data.scene import Scene
from tricklab.errors import UserError
from tricklab.registry import build


def reader_for(path: Path) -> str:
    """Name of the scene component that reads a file.

    >>> reader_for(Path("scene.hdr"))
    'EnviScene'
    """
    suffix = path.suffix.lower()
    if suffix == ".mat":
        return "MatScene"
    if suffix in TIFF_SUFFIXES:
        return "GeoTiffScene"
    if suffix in ENVI_SUFFIXES:
        return "EnviScene"
    raise UserError(
        f"unknown kind of scene file {path.suffix!r}", where=str(path), fix="known: .mat, .tif, .hdr (ENVI)"
    )


def read_files(
    image: Path, labels: Path | None = None, image_key: str | None = None, labels_key: str | None = None
) -> Scene:
    """Read a scene from its files.

    Args:
        image: the cube.
        labels: the label map, or None.
        image_key, labels_key: array names in MATLAB files with several.
    """
    config: dict[str, str | None] = {"type": reader_for(image), "image": str(image.resolve())}
    for path in (image, labels):
        if path is not None and not path.is_file():
            raise UserError("no such file", where=str(path))
    if labels is not None:
        config |= {"labels": str(labels.resolve()), "labels_key": labels_key}
    if image_key is not None:
        config["image_key"] = image_key
    return build("scene", config, root=None).read()
