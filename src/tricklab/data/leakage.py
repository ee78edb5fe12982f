"""How much a window-based test set sees of the training set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tricklab.data.neighbourhoods import box_sum, chebyshev_distance, dilate
from tricklab.data.padding import check_window
from tricklab.data.split import Split


@dataclass(frozen=True)
class Leakage:
    """What the windows of one evaluated split share with the training windows.

    Args:
        split: ``val`` or ``test``.
        window: side of the windows in pixels.
        windows: number of evaluated windows.
        centre_share: share of them that hold the centre of a training window.
        touch_share: share of them that hold any pixel of a training window.
        covered_share: mean share of a window's area, outside the scene included, that training windows cover.
        median_distance: median Chebyshev distance in pixels from a centre to the nearest training centre.
    """

    split: str
    window: int
    windows: int
    centre_share: float
    touch_share: float
    covered_share: float
    median_distance: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.centre_share:.1%} of the {self.windows:,} {self.split} windows ({self.window}×{self.window}) hold "
            f"a training centre, {self.touch_share:.1%} touch a training window, {self.covered_share:.1%} of their "
            f"area is covered by training windows; median distance to a training pixel {self.median_distance:g}"
        )


def measure_leakage(split: Split, window: int, evaluated: str = "test") -> Leakage | None:
    """Measure what ``evaluated`` windows read of the training windows.

    A pixel counts as shared only if both sides read it: where a split cuts the scene into regions, each side's windows
    are limited to their own region first. The distances ignore the regions.

    Args:
        split: the pixel sets and regions.
        window: side of the windows, odd.
        evaluated: ``test`` or ``val``.

    Returns:
        The figures, or None if the evaluated split is empty.

    Raises:
        UserError: an even window.
    """
    check_window(window)
    centres = split.mask(evaluated)
    if not centres.any() or not split.train.any():
        return None
    reach = window // 2
    readable = split.readable(evaluated)
    train_area = dilate(split.train, reach) & split.readable("train") & readable
    seen_centres = box_sum(split.train & readable, reach)[centres]
    seen_area = box_sum(train_area, reach)[centres]
    distance = chebyshev_distance(split.train)[centres]
    return Leakage(
        split=evaluated,
        window=window,
        windows=int(centres.sum()),
        centre_share=float((seen_centres > 0).mean()),
        touch_share=float((seen_area > 0).mean()),
        covered_share=float(seen_area.mean() / window**2),
        median_distance=float(np.median(distance)),
    )
