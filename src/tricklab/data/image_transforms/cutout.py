"""Holes of one colour in images, before normalisation."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import between, check_chance, check_range, whole
from tricklab.data.image_transforms.holes import placed
from tricklab.errors import UserError
from tricklab.registry import component

_AREA = (0.02, 0.4)
_RATIO = (0.4, 2.5)


@component("image_transform", source="torchtoolbox transforms.Cutout; DeVries & Taylor, arXiv 1708.04552")
class Cutout:
    """Cut one hole into an image.

    torchtoolbox's way, the default: a rectangle inside the image, its area and height / width drawn evenly, filled with
    one random grey value; a side longer than the image's is cut to it. (Its later versions hand Pillow that one number,
    which is a shade of red in a colour image; the earlier ones, and those for arrays, fill with grey.) With ``square``
    the way of DeVries & Taylor: a square of fixed side whose centre lies anywhere in the image, so that it may hang
    over the edge. They fill with 0 after normalisation, which ``RandomErasing`` does with ``mode: const``.

    Args:
        p: chance of each image.
        area: range of the hole's share of the image.
        ratio: range of its height / width.
        value: ``grey`` draws one number from 0 to 255 for each hole, ``mean`` takes the image's own mean colour, a
            number is the grey value of all holes.
        square: side as a share of the image's shorter side (0.5 for CIFAR-10 in the paper) instead of area and ratio.
    """

    stage = "image"

    def __init__(
        self,
        p: float = 0.5,
        area: tuple[float, float] = _AREA,
        ratio: tuple[float, float] = _RATIO,
        value: int | Literal["grey", "mean"] = "grey",
        square: float | None = None,
    ) -> None:
        self.p = check_chance(p, "Cutout.p")
        self.area = check_range(area, 0, 1, "Cutout.area")
        self.ratio = check_range(ratio, 0, np.inf, "Cutout.ratio")
        if isinstance(value, int) and not 0 <= value <= 255:
            raise UserError(f"a byte is a number from 0 to 255, not {value}", where="Cutout.value")
        if square is not None and not 0 < square <= 2:
            raise UserError(f"a side must be above 0 and at most 2 of the image's, not {square}", where="Cutout.square")
        if square is not None and (self.area, self.ratio) != (_AREA, _RATIO):
            raise UserError(
                "a square has neither area nor ratio", where="Cutout", fix="leave out square, or the others"
            )
        self.value, self.square = value, square

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Cut holes into some images of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        size = (images_N3HW.shape[-2], images_N3HW.shape[-1])
        lots = draw(4)
        boxes = self._squares(draw, size) if self.square else self._rectangles(lots[:, 2:], draw, size)
        filled = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        chosen = (lots[:, 0] < self.p) & filled
        # holes differ in size; each touches its own pixels only
        for number in np.flatnonzero(chosen):
            top, left, bottom, right = boxes[number].tolist()
            images_N3HW[number, :, top:bottom, left:right] = self._colour(images_N3HW[number], lots[number, 1])
        return images_N3HW, torch.from_numpy(chosen)

    def _rectangles(self, lots_N2: np.ndarray, draw: Draw, size: tuple[int, int]) -> np.ndarray:
        pixels = between(lots_N2[:, 0], *self.area) * size[0] * size[1]
        ratio = between(lots_N2[:, 1], *self.ratio)
        sides = np.stack([np.sqrt(pixels * ratio), np.sqrt(pixels / ratio)], axis=1).astype(np.int64)
        return placed(draw, size, np.minimum(sides, size))

    def _squares(self, draw: Draw, size: tuple[int, int]) -> np.ndarray:
        assert self.square is not None
        side = max(round(self.square * min(size)), 1)
        corner = whole(draw(2), np.array(size)) - side // 2
        return np.concatenate([corner.clip(0, size), (corner + side).clip(0, size)], axis=1)

    def _colour(self, image_3HW: Tensor, lot: float) -> Tensor | int:
        if self.value == "mean":
            return image_3HW.to(torch.float32).mean(dim=(1, 2), keepdim=True).round_().to(torch.uint8)
        return int(lot * 256) if self.value == "grey" else int(self.value)
