"""Coloured shapes, drawn; no files needed."""

from __future__ import annotations

import colorsys

import numpy as np

from tricklab.data.image_list import ImageList
from tricklab.errors import UserError
from tricklab.registry import component

_SHAPES = ("disc", "square", "triangle", "ring", "cross", "star", "crescent", "diamond")
_TEXTURES = ("plain", "striped")
_AT_ONCE = 256


@component("layout")
class SyntheticImages:
    """Coloured shapes on uneven ground, the same for the same arguments; small networks learn them, but not at once.

    Two neighbouring classes share their colours and differ in shape; from the ninth class on shapes come back striped.
    Place, size, angle, brightness, tint and ground change from image to image, and every pixel has noise.

    Args:
        classes: 2 to 16.
        per_class: images of each class.
        size: side of the square images in pixels.
        noise: standard deviation of each pixel's noise, of values between 0 and 1.
        seed: the images' own seed; it does not change with the block.
    """

    def __init__(
        self,
        classes: int = 4,
        per_class: int = 60,
        size: int = 32,
        noise: float = 0.1,
        seed: int = 0,
    ) -> None:
        most = len(_SHAPES) * len(_TEXTURES)
        if not 2 <= classes <= most:
            raise UserError(f"{classes} classes", where="data.images.classes", fix=f"between 2 and {most}")
        if per_class < 2:
            raise UserError(f"{per_class} images of each class", where="data.images.per_class", fix="at least 2")
        if size < 8:
            raise UserError(f"a side of {size} pixels", where="data.images.size", fix="at least 8")
        if noise < 0 or seed < 0:
            key = "noise" if noise < 0 else "seed"
            raise UserError(f"{key} is negative", where=f"data.images.{key}")
        self.classes, self.per_class, self.size, self.noise, self.seed = classes, per_class, size, noise, seed

    def read(self) -> ImageList:
        """Draw the images."""
        rng = np.random.default_rng(self.seed)
        pixels = np.concatenate([self._draw(number, rng) for number in range(self.classes)])
        names = [f"{_TEXTURES[number // 8]} {_SHAPES[number % 8]}".removeprefix("plain ") for number in range(16)]
        return ImageList(
            paths=(None,) * len(pixels),
            labels=np.repeat(np.arange(self.classes, dtype=np.int64), self.per_class),
            classes=tuple(names[: self.classes]),
            name=f"SyntheticImages(seed={self.seed})",
            pixels=pixels,
            names=tuple(f"{name}/{image:04}" for name in names[: self.classes] for image in range(self.per_class)),
        )

    def _draw(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """The images of one class, uint8 (per_class, size, size, 3)."""
        parts = [
            self._some(number, min(_AT_ONCE, self.per_class - start), rng)
            for start in range(0, self.per_class, _AT_ONCE)
        ]
        return np.concatenate(parts)

    def _some(self, number: int, count: int, rng: np.random.Generator) -> np.ndarray:
        def each(low: float, high: float) -> np.ndarray:
            return rng.uniform(low, high, (count, 1, 1))

        rows, columns = (np.mgrid[: self.size, : self.size] + 0.5) / self.size * 2 - 1
        down, right = rows - each(-0.35, 0.35), columns - each(-0.35, 0.35)
        angle, radius = each(-0.6, 0.6), each(0.35, 0.6)
        x = (right * np.cos(angle) + down * np.sin(angle)) / radius
        y = (down * np.cos(angle) - right * np.sin(angle)) / radius
        # a soft edge about a pixel wide
        inside = 1 / (1 + np.exp(np.clip(_distance(_SHAPES[number % 8], x, y) * radius * self.size * 1.5, -30, 30)))
        if number >= len(_SHAPES):
            inside = inside * (0.65 + 0.35 * np.sin(x * each(9, 13) + each(0, 6.3)))
        hue = (number // 2) / 4 + rng.normal(0, 0.06, count)
        colour = np.array([colorsys.hsv_to_rgb(value % 1, 0.6, 0.9) for value in hue])[:, None, None, :]
        tilt = each(-0.2, 0.2) * rows + each(-0.2, 0.2) * columns + each(0.25, 0.6)
        ground = tilt[..., None] * rng.uniform(0.7, 1.3, (count, 1, 1, 3))
        image = ground + inside[..., None] * (colour * each(0.6, 1.0)[..., None] - ground)
        image += rng.normal(0, 1, image.shape) * self.noise
        return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def _distance(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Roughly the signed distance to a shape of radius 1, negative inside."""
    radius = np.hypot(x, y)
    if shape == "disc":
        return radius - 0.85
    if shape == "square":
        return np.maximum(abs(x), abs(y)) - 0.75
    if shape == "triangle":
        return np.maximum(abs(x) * 0.87 + y * 0.5, -y) - 0.5
    if shape == "ring":
        return abs(radius - 0.7) - 0.22
    if shape == "cross":
        return np.maximum(np.minimum(abs(x), abs(y)) - 0.25, np.maximum(abs(x), abs(y)) - 0.95)
    if shape == "star":
        return radius - 0.7 - 0.3 * np.cos(5 * np.arctan2(x, y))
    if shape == "crescent":
        return np.maximum(radius - 0.95, 0.75 - np.hypot(x - 0.45, y))
    return abs(x) + abs(y) - 0.95
