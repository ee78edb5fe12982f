"""Is a file the known one? By its bytes where a checksum is known, and by what it holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tricklab.data.formats.mat_arrays import list_arrays, read_array
from tricklab.data.sources.catalogue import KnownFile, KnownScene
from tricklab.errors import UserError

_CHUNK = 1 << 20


@dataclass(frozen=True)
class FileCheck:
    """What was found out about a file.

    Args:
        file: the known file that it was compared with.
        array: the array that fits.
        sha256: the file's own checksum.
        same_bytes: whether it equals the known checksum; None where none is known.
    """

    file: KnownFile
    array: str
    sha256: str
    same_bytes: bool | None

    def __str__(self) -> str:
        what = f"the array {self.array} is the {self.file.role} expected of {self.file.name}"
        if self.same_bytes is None:
            return f"{what}; no checksum is known to compare with (its own: sha256 {self.sha256})"
        return f"{what}; {'the very bytes known' if self.same_bytes else 'other bytes than the known copy'}"


def check_file(path: Path, scene: KnownScene) -> FileCheck:
    """Compare a file with the files of a known scene.

    A cube is recognised by the shape of one of its arrays, labels by shape and pixels per class.

    Raises:
        UserError: the file is missing, unreadable, or is none of the scene's files; says what it holds.
    """
    if not path.is_file():
        raise UserError("no such file", where=str(path))
    arrays = [array for array in list_arrays(path) if array.numeric]
    digest = sha256(path)
    for known in scene.files:
        for array in arrays:
            if array.shape == known.shape and _counts_agree(path, array.name, known):
                same = None if known.sha256 is None else digest == known.sha256
                return FileCheck(known, array.name, digest, same)
    held = ", ".join(map(str, arrays)) or "no arrays of numbers"
    wanted = " or ".join(f"{file.role} {'×'.join(map(str, file.shape))}" for file in scene.files)
    raise UserError(
        f"this is no file of {scene.name}: it holds {held}; wanted: {wanted}"
        + (" with the known pixels per class" if any(file.counts for file in scene.files) else ""),
        where=str(path),
    )


def sha256(path: Path) -> str:
    """Checksum of a file, hexadecimal."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def _counts_agree(path: Path, array: str, known: KnownFile) -> bool:
    if not known.counts:
        return True
    values = read_array(path, array)
    return tuple(np.unique(values[values > 0], return_counts=True)[1].tolist()) == known.counts
