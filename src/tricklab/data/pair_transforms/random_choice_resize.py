"""Images at one of several sizes."""

from __future__ import annotations

from tricklab.data.image_transforms.arguments import whole
from tricklab.data.mask_transforms import PairDraw
from tricklab.data.pair_transforms.resizing import check_scale, size_for
from tricklab.data.pair_view import PairMove, PairView
from tricklab.errors import UserError
from tricklab.registry import component


@component("pair_transform", source="MMCV RandomChoiceResize with type Resize; MMDetection 2 multiscale_mode='value'")
class RandomChoiceResize(PairMove):
    """Resize image and mask to one of several sizes, each as likely as the others.

    Any number of scales, with and without ``keep_ratio``, which means what it does in ``RandomResize``.

    Args:
        scales: at least two different **[width, height]**, as in OpenMMLab.
        keep_ratio: keep the image's shape; a scale is then an upper bound of both sides.
    """

    def __init__(self, scales: list[tuple[int, int]], keep_ratio: bool = False) -> None:
        self.scales = [check_scale(one, f"RandomChoiceResize.scales.{place}") for place, one in enumerate(scales)]
        if len(set(self.scales)) < 2:
            raise UserError(
                "there is nothing to choose from", where="RandomChoiceResize.scales", fix="two sizes, or data.resize"
            )
        self.keep_ratio = keep_ratio

    def move(self, pair: PairView, draw: PairDraw) -> tuple[PairView, bool]:
        """Resize one pair."""
        scale = self.scales[int(whole(draw(1), len(self.scales))[0])]
        size = size_for(pair.shape, scale, keep_ratio=self.keep_ratio)
        return pair.resized(size), size != pair.shape
