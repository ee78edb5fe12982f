"""The size that OpenMMLab's ``scale`` and ``keep_ratio`` say."""

from __future__ import annotations

from collections.abc import Sequence

from tricklab.data.mask_resizing import Resizing
from tricklab.errors import UserError

Scale = tuple[int, int]


def check_scale(scale: Sequence[int], where: str) -> Scale:
    """(width, height), both with pixels."""
    if min(scale) < 1:
        raise UserError(f"a size has pixels, not {list(scale)}", where=where, fix="[width, height]")
    return scale[0], scale[1]


def size_for(shape: tuple[int, int], scale: Scale, *, keep_ratio: bool) -> tuple[int, int]:
    """(height, width) of an image of ``shape`` (height, width) after resizing to ``scale`` (width, height).

    >>> size_for((1000, 1500), (1400, 1100), keep_ratio=True)
    (933, 1400)
    >>> size_for((1000, 1500), (1400, 1100), keep_ratio=False)
    (1100, 1400)
    """
    if keep_ratio:
        return Resizing(long=max(scale), short=min(scale)).size_of(*shape)
    return scale[1], scale[0]
