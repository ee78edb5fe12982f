"""An image with its mask, to be resized, mirrored, turned and cut: only the pixels that are left are ever computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tricklab.data.mask_resizing import image_part, mask_part
from tricklab.errors import UserError

_ALL, _MIRRORED = slice(None), slice(None, None, -1)


@dataclass(frozen=True, eq=False)
class PairView:
    """What is to be done to an image and its mask; it is done when ``image`` or ``mask`` is asked for.

    First both are resized, then rows and columns are taken, at last they may change places. Each method gives another
    view and leaves this one as it is.

    Args:
        source: image (H, W, C) and mask (H, W); they stay as they are.
        size: (height, width) to which they are resized.
        rows, columns: which ones of the resized image are shown; a step of -1 mirrors.
        turned: rows are shown as columns.

    >>> pair = PairView.of(np.arange(6, dtype=np.uint8).reshape(2, 3, 1), np.zeros((2, 3), np.uint8))
    >>> pair.mirrored(1).cut(0, 0, 2, 2).image[..., 0].tolist()
    [[2, 1], [5, 4]]
    """

    source: tuple[np.ndarray, np.ndarray]
    size: tuple[int, int]
    rows: range
    columns: range
    turned: bool = False

    @classmethod
    def of(cls, image_HWC: np.ndarray, mask_HW: np.ndarray, size: tuple[int, int] | None = None) -> PairView:
        """The whole of both, resized to (height, width) if one is given."""
        height, width = size or mask_HW.shape
        return cls((image_HWC, mask_HW), (height, width), range(height), range(width))

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        rows, columns = len(self.rows), len(self.columns)
        return (columns, rows) if self.turned else (rows, columns)

    @cached_property
    def image(self) -> np.ndarray:
        """(height, width, C), of the source's dtype."""
        found = image_part(self.source[0], self.size, self.rows, self.columns)
        return found.swapaxes(0, 1) if self.turned else found

    @cached_property
    def mask(self) -> np.ndarray:
        """uint8 (height, width)."""
        found = mask_part(self.source[1], self.size, self.rows, self.columns)
        return found.T if self.turned else found

    def resized(self, size: tuple[int, int]) -> PairView:
        """At (height, width); what was resized before is computed now."""
        return self if size == self.shape else PairView.of(self.image, self.mask, size)

    def cut(self, top: int, left: int, height: int, width: int) -> PairView:
        """A part that lies inside."""
        return self._taken(slice(top, top + height), slice(left, left + width))

    def mirrored(self, axis: int) -> PairView:
        """0 exchanges top and bottom, 1 left and right."""
        return self._taken(_ALL, _MIRRORED) if axis else self._taken(_MIRRORED, _ALL)

    def rotated(self, quarters: int) -> PairView:
        """Turned counterclockwise by 1, 2 or 3 quarters, as ``numpy.rot90``."""
        assert quarters in (1, 2, 3)
        if quarters == 2:
            return self._taken(_MIRRORED, _MIRRORED)
        mirrored = self.mirrored(1 if quarters == 1 else 0)
        return replace(mirrored, turned=not self.turned)

    def _taken(self, down: slice, across: slice) -> PairView:
        if self.turned:
            down, across = across, down
        return replace(self, rows=self.rows[down], columns=self.columns[across])


class PairMove:
    """A pair transform that does nothing but resize, mirror, turn or cut.

    A subclass has ``move`` instead of ``__call__``: in a row of such transforms nothing is computed that a later crop
    throws away.
    """

    stage = "pair"

    def move(self, pair: PairView, draw: Callable[[int], np.ndarray]) -> tuple[PairView, bool]:
        """Say what is done to one pair, and whether it was changed."""
        raise NotImplementedError

    def __call__(
        self, image_HWC: np.ndarray, mask_HW: np.ndarray, draw: Callable[[int], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Change one pair; see :class:`tricklab.data.mask_transforms.PairTransform`."""
        found, changed = self.move(PairView.of(image_HWC, mask_HW), draw)
        return found.image, found.mask, changed


def change(transform: Any, pair: PairView, draw: Callable[[int], np.ndarray]) -> tuple[PairView, bool]:
    """One pair after a pair transform, and whether that changed it; one that needs pixels gets them computed.

    Raises:
        UserError: the transform gives an image and a mask of two sizes.
    """
    if isinstance(transform, PairMove) and type(transform).__call__ is PairMove.__call__:
        return transform.move(pair, draw)
    image, mask, changed = transform(pair.image, pair.mask, draw)
    if image.shape[:2] != mask.shape:
        height, width = image.shape[:2]
        raise UserError(
            f"it gave an image of {height} × {width} pixels and a mask of {' × '.join(map(str, mask.shape))}",
            where=type(transform).__name__,
            fix="change both alike",
        )
    return PairView.of(image, mask), bool(changed)
