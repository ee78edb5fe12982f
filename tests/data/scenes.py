"""Label maps and brute-force references that the split tests share."""

from __future__ import annotations

import numpy as np
import scipy.io

from tricklab.data.split import Split


def real_labels(path, key):
    """Dense labels of a real map: 0 … K-1, -1 unlabelled."""
    ids_HW = scipy.io.loadmat(path)[key].astype(np.int64)
    ids = np.unique(ids_HW[ids_HW > 0])
    return np.where(ids_HW > 0, np.searchsorted(ids, ids_HW), -1)


def blobs(rng, height, width, classes, smallest=4):
    """A random label map with blobs of every class and unlabelled pixels."""
    coarse = rng.integers(-1, classes, (height // 4 + 1, width // 4 + 1))
    labels = np.kron(coarse, np.ones((4, 4), dtype=np.int64))[:height, :width]
    flat = labels.reshape(-1)
    places = rng.permutation(flat.size)[: classes * smallest]
    flat[places] = np.arange(classes * smallest) % classes
    return labels


def window_pixels(centre, window, readable):
    """The pixels that one window reads, as a set; slow and obvious."""
    reach = window // 2
    row, column = centre
    height, width = readable.shape
    return {
        (r, c)
        for r in range(max(0, row - reach), min(height, row + reach + 1))
        for c in range(max(0, column - reach), min(width, column + reach + 1))
        if readable[r, c]
    }


def union_of_windows(split: Split, name: str, window: int):
    """Every pixel that any window of a split reads; slow and obvious."""
    readable = split.readable(name)
    found = set()
    for centre in np.argwhere(split.mask(name)):
        found |= window_pixels(centre, window, readable)
    return found
