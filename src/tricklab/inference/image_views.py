"""Test-time augmentation of images: score several views of each and average the class probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.observe import observe
from tricklab.registry import component

Scores = Callable[[Tensor], Tensor]
"""images (N, 3, H, W), normalised → logits (N, K)."""

# quarter turns, then mirrored left and right
MOVES: dict[str, tuple[tuple[int, bool], ...]] = {
    "none": ((0, False),),
    "flip": ((0, False), (0, True)),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "rotations": ((0, False), (1, False), (2, False), (3, False)),
    "dihedral": tuple((turns, mirror) for mirror in (False, True) for turns in range(4)),
}


@component(
    "postprocess",
    source="Krizhevsky et al., NIPS 2012, section 4.1 (ten crops); Howard 2013, arXiv 1312.5402 (scales)",
)
class ImageViews:
    """Average the class probabilities over mirrored, turned, cropped and resized views of each image.

    Every combination is a view. Probabilities (softmax) are averaged, not logits; what is given back is the logarithm
    of their mean. Crops are resized to the size of the image, so that networks of one size can see them; ``scales``
    change what the network sees.

    Args:
        group: ``none``; ``flip``: also mirrored left and right; ``flips``: both axes and both together;
            ``rotations``: the four quarter turns; ``dihedral``: all eight. Quarter turns need square images.
        crops: ``none``; ``five``: the corners and the middle, instead of the whole image; ``six``: the whole one too.
        crop: side of a crop as a share of the image's.
        scales: sides that the network sees as shares of the image's, for networks that take any size.

    Observes ``tta/views``, how many, and ``tta/spread``, the mean absolute difference of a view to the average.

    >>> views = ImageViews("flip", crops="five")
    >>> views.count
    10
    """

    acts_on = "images"

    def __init__(
        self,
        group: Literal["none", "flip", "flips", "rotations", "dihedral"] = "flip",
        crops: Literal["none", "five", "six"] = "none",
        crop: float = 0.875,
        scales: list[float] = [1.0],  # noqa: B006
    ) -> None:
        if not 0 < crop < 1:
            raise UserError(f"a crop must be a part of the image, not {crop} of it", where="evaluate.postprocess.crop")
        if not scales or min(scales) <= 0:
            raise UserError(f"scales must be positive, not {list(scales)}", where="evaluate.postprocess.scales")
        self.group, self.crops, self.crop, self.scales = group, crops, crop, tuple(scales)
        self.count = len(MOVES[group]) * {"none": 1, "five": 5, "six": 6}[crops] * len(self.scales)

    def around(self, scores: Scores) -> Scores:
        """The same question, asked of all views."""

        def averaged(images: Tensor) -> Tensor:
            found = [torch.softmax(scores(view).float(), dim=1) for view in self.views(images)]
            stacked = torch.stack(found)
            mean = stacked.mean(dim=0)
            observe("tta/views", float(len(found)))
            observe("tta/spread", (stacked - mean).abs().mean(dim=(1, 2)))
            return mean.clamp(min=1e-38).log()

        return averaged

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuse images, (height, width), that cannot be seen so.

        Raises:
            UserError: quarter turns of images that are not square.
        """
        if size[0] != size[1] and any(turns % 2 for turns, _ in MOVES[self.group]):
            raise UserError(
                f"quarter turns need square images, these are {size[0]} × {size[1]}",
                where="evaluate.postprocess",
                fix="group: flips",
            )

    def views(self, images_NCHW: Tensor) -> Iterator[Tensor]:
        """Each view of a batch in turn, (N, C, H, W) or scaled.

        Raises:
            UserError: quarter turns of images that are not square.
        """
        height, width = images_NCHW.shape[-2:]
        self.check_size((height, width))
        for cut in self._cuts(images_NCHW):
            for scale in self.scales:
                size = max(round(height * scale), 1), max(round(width * scale), 1)
                sized = cut if cut.shape[-2:] == size else _resized(cut, size)
                for turns, mirror in MOVES[self.group]:
                    turned = torch.rot90(sized, turns, (2, 3))
                    yield (turned.flip(3) if mirror else turned).contiguous()

    def _cuts(self, images: Tensor) -> Iterator[Tensor]:
        if self.crops != "five":
            yield images
        if self.crops == "none":
            return
        height, width = images.shape[-2:]
        rows, columns = max(round(height * self.crop), 1), max(round(width * self.crop), 1)
        below, right = height - rows, width - columns
        for top, left in ((0, 0), (0, right), (below, 0), (below, right), (below // 2, right // 2)):
            yield images[:, :, top : top + rows, left : left + columns]


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
