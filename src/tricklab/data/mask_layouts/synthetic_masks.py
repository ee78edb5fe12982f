"""Coloured shapes with their masks, drawn; no files needed."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from tricklab.data.mask_list import MaskList
from tricklab.errors import UserError
from tricklab.registry import component

_EDGE_VALUE = 255


@component("mask_layout")
class SyntheticMasks:
    """Discs and rectangles on uneven ground with their masks, the same for the same arguments.

    Class 0 is the ground; two neighbouring classes share their colours, the one round and the other angular. Later
    classes are rarer. Groups of four images, as of a video, share their ground.

    Args:
        classes: 2 to 12, the ground among them.
        images: how many.
        size: (height, width) in pixels.
        noise: standard deviation of each pixel's noise, of values between 0 and 1.
        edge: width in pixels of the unlabelled line around round shapes (label value 255); 0 for none.
        seed: the images' own seed; it does not change with the block.
    """

    def __init__(
        self,
        classes: int = 4,
        images: int = 24,
        size: tuple[int, int] = (48, 64),
        noise: float = 0.08,
        edge: int = 1,
        seed: int = 0,
    ) -> None:
        if not 2 <= classes <= 12:
            raise UserError(f"{classes} classes", where="data.images.classes", fix="between 2 and 12")
        if images < 2:
            raise UserError(f"{images} images", where="data.images.images", fix="at least 2")
        if min(size) < 8:
            raise UserError(f"images of {size[0]} × {size[1]} pixels", where="data.images.size", fix="at least 8 × 8")
        for name, value in (("noise", noise), ("edge", edge), ("seed", seed)):
            if value < 0:
                raise UserError(f"{name} is negative", where=f"data.images.{name}")
        self.classes, self.images, self.size = classes, images, (size[0], size[1])
        self.noise, self.edge, self.seed = noise, edge, seed

    def read(self) -> MaskList:
        """Draw the images; three in four are for training, the others for validation."""
        drawn = _Drawn([self._draw(number) for number in range(self.images)])
        groups = tuple(f"video {number // 4}" for number in range(self.images))
        # whole groups where there are several
        step = 4 if self.images >= 8 else 1
        given = tuple("val" if number // step % 4 == 1 else "train" for number in range(self.images))
        return MaskList(
            keys=tuple(f"image_{number:04}" for number in range(self.images)),
            read_image=drawn.image,
            read_mask=drawn.mask,
            classes=("ground", *(f"shape {number}" for number in range(1, self.classes))),
            values=tuple(range(self.classes)),
            name=f"SyntheticMasks(seed={self.seed})",
            given=given,
            groups=groups,
            ignore=(_EDGE_VALUE,),
        )

    def _draw(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        ground_rng = np.random.default_rng([self.seed, number // 4, 1])
        rng = np.random.default_rng([self.seed, number, 2])
        height, width = self.size
        rows, columns = np.mgrid[:height, :width] / max(height, width)
        tilt = ground_rng.uniform(-0.2, 0.2, 2)
        ground = 0.4 + tilt[0] * rows + tilt[1] * columns
        image = ground[..., None] * ground_rng.uniform(0.7, 1.3, 3)
        mask = np.zeros((height, width), dtype=np.int32)
        kinds = np.arange(1, self.classes)
        odds = 1 / kinds
        # every image has one shape that its number chooses, so that no class is missing in a few images
        chosen = [1 + number % (self.classes - 1), *rng.choice(kinds, 3, p=odds / odds.sum())]
        edge = self.edge / max(height, width)
        for kind in chosen:
            distance = self._distance(int(kind), rows, columns, rng)
            colour = colorsys.hsv_to_rgb(((kind - 1) // 2 / 6 + rng.normal(0, 0.02)) % 1, 0.6, 0.9)
            image[distance < 0] = np.asarray(colour) * rng.uniform(0.8, 1.0)
            mask[distance < 0] = kind
            if kind % 2:
                mask[np.abs(distance) < edge / 2] = _EDGE_VALUE
        image += rng.normal(0, 1, image.shape) * self.noise
        return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8), mask

    def _distance(self, kind: int, rows: np.ndarray, columns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Signed distance to a shape at a random place, negative inside."""
        radius = rng.uniform(0.12, 0.22)
        down, right = rows - rng.uniform(0, rows.max()), columns - rng.uniform(0, columns.max())
        if kind % 2:
            return np.asarray(np.hypot(down, right) - radius)
        return np.asarray(np.maximum(abs(down), abs(right) * rng.uniform(0.6, 1.2)) - radius)


@dataclass(frozen=True)
class _Drawn:
    pairs: list[tuple[np.ndarray, np.ndarray]]

    def image(self, number: int) -> np.ndarray:
        return self.pairs[number][0]

    def mask(self, number: int) -> np.ndarray:
        return self.pairs[number][1]
