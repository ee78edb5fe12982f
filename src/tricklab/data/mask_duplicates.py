"""Images with masks that show the same picture: pixel for pixel, or nearly."""

from __future__ import annotations

import numpy as np

from tricklab.data.duplicates import Duplicates, copies_of, unit_members
from tricklab.data.mask_list import IGNORE
from tricklab.data.mask_survey import MaskSurvey

KAPPA = 0.5
FEW = 0.02
_PAIRS_AT_ONCE = 1 << 14


def find_mask_duplicates(survey: MaskSurvey) -> Duplicates:
    """Find images with the same pixels, whatever their masks, and near-identical ones whose masks agree as well.

    Near-identical is what :func:`tricklab.data.duplicates.find_duplicates` calls so, with a second witness: pictures of
    one kind (two retinas, two slides) are as alike in 32 × 32 pixels as frames of a video, their masks are not.

    Args:
        survey: with likeness.

    Returns:
        Units of all images; contradictions are empty: one picture may have several masks.
    """
    assert survey.likeness is not None
    usable, masks = survey.readable, survey.likeness.masks
    first = np.arange(len(usable))
    members = np.flatnonzero(usable)
    if len(members):
        pictures = np.array(survey.pictures)[members]
        _, start, inverse = np.unique(pictures, return_index=True, return_inverse=True)
        first[members] = members[start[inverse]]
    repeated = np.unique(first[first != np.arange(len(first))])
    units, near = copies_of(
        first,
        usable,
        survey.likeness.hashes,
        survey.likeness.thumbnails,
        agree=lambda left, right: masks_agree(masks, left, right),
    )
    return Duplicates(units, unit_members(first, repeated), near, ())


def masks_agree(masks_NHW: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Whether pairs of masks may belong to one picture, judged by the pixels that have a label in both.

    They do where Cohen's kappa (1 is the same, 0 what chance would give) is at least 0.5, or where so few pixels differ
    that the masks say nothing against it: less than 2 %, as of two pictures with hardly an object in them.

    Args:
        masks_NHW: uint8, 255 without a label.
        left, right: numbers of masks, int64 (P,).

    Returns:
        bool (P,).

    >>> masks = np.array([[[0, 0, 1, 1]], [[0, 0, 1, 255]], [[1, 0, 1, 0]]], dtype=np.uint8)
    >>> masks_agree(masks, np.array([0, 0]), np.array([1, 2])).tolist()
    [True, False]
    """
    flat = masks_NHW.reshape(len(masks_NHW), -1)
    found = np.zeros(len(left), dtype=bool)
    for start in range(0, len(left), _PAIRS_AT_ONCE):
        chosen = slice(start, start + _PAIRS_AT_ONCE)
        found[chosen] = _agree(flat[left[chosen]], flat[right[chosen]])
    return found


def _agree(one_PM: np.ndarray, other_PM: np.ndarray) -> np.ndarray:
    both = (one_PM != IGNORE) & (other_PM != IGNORE)
    total = np.maximum(both.sum(axis=1), 1)
    differ = ((one_PM != other_PM) & both).sum(axis=1) / total
    chance = np.zeros(len(one_PM))
    for number in np.unique(one_PM[both]).tolist():
        one, other = (((masks == number) & both).sum(axis=1) / total for masks in (one_PM, other_PM))
        chance += one * other
    kappa: np.ndarray = 1 - differ / np.maximum(1 - chance, 1e-12)
    return (differ < FEW) | (kappa >= KAPPA)
