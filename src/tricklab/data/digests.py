"""Hashes of the measured values and labels that each split really uses."""

from __future__ import annotations

import hashlib

import numpy as np

from tricklab.data.neighbourhoods import dilate
from tricklab.data.split import Split


def split_digest(
    cube_HWB: np.ndarray, ids_HW: np.ndarray, split: Split, name: str, window: int, also_HW: np.ndarray | None = None
) -> str:
    """Hash of a split's pixels, labels and every measured value that its windows read, 32 hex digits.

    Measured values are hashed, not the projected ones: the projection is arithmetic, whose last bits may differ between
    machines, and follows from the recipe.

    Args:
        cube_HWB: (height, width, bands used), as read.
        ids_HW: int64 (height, width), label ids as read, or classes.
        name: ``train``, ``val`` or ``test``.
        window: side of the windows.
        also_HW: further pixels whose values count, such as those that the statistics were fitted on.
    """
    mask = split.mask(name)
    used = dilate(mask, window // 2) & split.readable(name)
    if also_HW is not None:
        used = used | also_HW
    state = hashlib.blake2b(digest_size=16)
    state.update(repr((cube_HWB.shape, cube_HWB.dtype.kind, cube_HWB.dtype.itemsize, window)).encode())
    state.update(np.packbits(mask).tobytes())
    state.update(np.packbits(used).tobytes())
    state.update(np.ascontiguousarray(ids_HW[mask], dtype="<i8").tobytes())
    little = cube_HWB.dtype.newbyteorder("<")
    for row in np.flatnonzero(used.any(axis=1)):
        state.update(np.ascontiguousarray(cube_HWB[row][used[row]], dtype=little).tobytes())
    return state.hexdigest()
