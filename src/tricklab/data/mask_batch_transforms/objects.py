"""Objects of masks: what hangs together of one class."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# rows and columns hang together, corners too; images of a batch never
_WITHIN = np.zeros((3, 3, 3), dtype=bool)
_WITHIN[1] = True


def object_numbers(target_NHW: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The connected objects of some classes; pixels that touch by a corner are connected.

    Args:
        target_NHW: class numbers, integer.
        classes: int64, of which the objects are wanted.

    Returns:
        Numbers of objects, int32 (N, H, W), 0 where there is none of these classes; and the image of each object from
        1 to M, int64 (M,).

    >>> object_numbers(np.array([[[3, 0, 3, 4]]]), np.array([3, 4]))[0].tolist()
    [[[1, 0, 2, 3]]]
    """
    found = np.zeros(target_NHW.shape, dtype=np.int32)
    image: list[np.ndarray] = []
    total = 0
    for number in classes.tolist():
        here = target_NHW == number
        if not here.any():
            continue
        own, count = ndimage.label(here, structure=_WITHIN)
        numbers = own[here]
        found[here] = numbers + total
        total += count
        # any pixel of an object says in which image it is
        image.append(np.empty(count, dtype=np.int64))
        image[-1][numbers - 1] = np.nonzero(here)[0]
    return found, np.concatenate(image) if image else np.zeros(0, dtype=np.int64)


def drawn_objects(image_M: np.ndarray, lots_M: np.ndarray, chance: float) -> np.ndarray:
    """Which objects are taken, bool (M,): each with a chance, and of every image at least the one with the lowest lot.

    Args:
        image_M: the image of each object.
        lots_M: float64 in [0, 1).
    """
    taken = lots_M < chance
    order = np.lexsort((lots_M, image_M))
    first = np.ones(len(order), dtype=bool)
    first[1:] = image_M[order][1:] != image_M[order][:-1]
    taken[order[first]] = True
    return taken
