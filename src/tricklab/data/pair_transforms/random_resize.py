"""Images at a random size: training at several scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tricklab.data.image_transforms.arguments import between, check_range, whole
from tricklab.data.mask_transforms import PairDraw
from tricklab.data.pair_transforms.resizing import Scale, check_scale, size_for
from tricklab.data.pair_view import PairMove, PairView
from tricklab.errors import UserError
from tricklab.registry import component


@component("pair_transform", source="MMCV RandomResize with type Resize; MMDetection 2 multiscale_mode='range'")
class RandomResize(PairMove):
    """Resize image and mask to a random size.

    ``scale`` is **(width, height)**, as in OpenMMLab; everything else in a recipe is (height, width). With one scale
    and ``ratio_range`` both sides are multiplied by one number drawn evenly and cut to whole pixels; without a scale
    those of the image itself are, which OpenMMLab lacks. With two scales
    the longer and the shorter side are drawn independently, each evenly between those of the two, ends included.

    With ``keep_ratio`` the drawn sides are upper bounds: the image is resized by the largest factor at which its longer
    side fits the longer and its shorter side the shorter, so the order in a scale does not matter. Without it the image
    gets exactly the drawn width and height.

    Images are interpolated, antialiased when they shrink, where OpenMMLab's are not; masks get the nearest pixel.

    Args:
        scale: [width, height], or two of them; null: that of each image.
        ratio_range: range of the factor, with one scale or none.
        keep_ratio: keep the image's shape.

    Raises:
        UserError: one scale without ``ratio_range`` or two with it, or nothing to draw.
    """

    def __init__(
        self,
        scale: tuple[int, int] | tuple[tuple[int, int], tuple[int, int]] | None = None,
        ratio_range: tuple[float, float] | None = None,
        keep_ratio: bool = False,
    ) -> None:
        one, two = (0, 0) if scale is None else scale
        self.scales: list[Scale]
        if scale is None:
            self.scales = []
        elif isinstance(one, int) and isinstance(two, int):
            self.scales = [check_scale((one, two), "RandomResize.scale")]
        else:
            assert not isinstance(one, int)
            assert not isinstance(two, int)
            self.scales = [check_scale(item, "RandomResize.scale") for item in (one, two)]
        if (ratio_range is None) == (len(self.scales) < 2):
            raise UserError(
                "two scales have no ratio_range" if ratio_range is not None else "it needs ratio_range or two scales",
                where="RandomResize.ratio_range",
                fix="write ratio_range with one scale or none, or two scales; data.resize resizes to one fixed size",
            )
        self.ratio_range = None if ratio_range is None else check_range(ratio_range, 0, np.inf, "RandomResize")
        fixed = ratio_range[0] == ratio_range[1] if ratio_range is not None else self.scales[0] == self.scales[1]
        if fixed:
            raise UserError("the size would always be the same", where="RandomResize", fix="write data.resize")
        self.keep_ratio = keep_ratio

    def draw_scale(self, draw: PairDraw, own: Scale) -> Scale:
        """(width, height) of one item, which now has ``own``; with two scales (longer, shorter)."""
        lots = draw(2)
        if self.ratio_range is not None:
            ratio = float(between(lots[:1], *self.ratio_range)[0])
            width, height = self.scales[0] if self.scales else own
            return max(int(width * ratio), 1), max(int(height * ratio), 1)
        long, short = (
            _inclusive([pick(scale) for scale in self.scales], lot) for pick, lot in ((max, lots[0]), (min, lots[1]))
        )
        return long, short

    def move(self, pair: PairView, draw: PairDraw) -> tuple[PairView, bool]:
        """Resize one pair."""
        height, width = pair.shape
        size = size_for(pair.shape, self.draw_scale(draw, (width, height)), keep_ratio=self.keep_ratio)
        return pair.resized(size), size != pair.shape


def _inclusive(ends: Sequence[int], lot: float) -> int:
    low, high = min(ends), max(ends)
    return low + int(whole(np.array([lot]), high - low + 1)[0])
