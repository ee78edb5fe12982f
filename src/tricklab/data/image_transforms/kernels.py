"""Loops over the bytes of images, compiled by numba: what torch needs several passes over memory for is one pass here.

Images are uint8 (N, 3, H, W), contiguous; every kernel gives the same bytes as Pillow's C code, see the callers.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_f = np.float32
# Pillow's mode L: whole numbers below 2^24, so float32 is exact
_RED, _GREEN, _BLUE, _HALF, _SCALE = _f(19595), _f(38470), _f(7471), _f(32768), _f(1 / 65536)
_AT_ONCE = 2048  # pixels whose grey values stay in the nearest cache
_LOW, _HIGH, _ONE, _ROUND = _f(0), _f(255), _f(1), _f(0.5)


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile when first called; the machine code is kept beside the source or else in the user's cache folder."""
    try:
        return numba.njit(function, cache=True, **_OPTIONS)
    except RuntimeError:  # neither place can be written
        return numba.njit(function, **_OPTIONS)


@_compiled
def _grey(red: Any, green: Any, blue: Any) -> Any:
    return np.uint8((_f(red) * _RED + _f(green) * _GREEN + _f(blue) * _BLUE + _HALF) * _SCALE)


@_compiled
def _byte(value: Any) -> Any:
    return np.uint8(min(max(value, _LOW), _HIGH))


@_compiled
def luminance(images: Any, found: Any) -> None:
    """Grey values into ``found``, uint8 (N, P), of uint8 (N, 3, P)."""
    for n in range(images.shape[0]):
        red, green, blue = images[n, 0], images[n, 1], images[n, 2]
        grey = found[n]
        for p in range(grey.size):
            grey[p] = _grey(red[p], green[p], blue[p])


@_compiled
def saturate(images: Any, factors: Any, found: Any) -> None:
    """Blends of each colour with its grey value, uint8 (N, 3, P)."""
    pixels = images.shape[2]
    grey = np.empty(_AT_ONCE, dtype=np.float32)
    for n in range(images.shape[0]):
        factor = factors[n]
        for start in range(0, pixels, _AT_ONCE):
            stop = min(start + _AT_ONCE, pixels)
            red, green, blue = images[n, 0, start:stop], images[n, 1, start:stop], images[n, 2, start:stop]
            for p in range(red.size):
                grey[p] = _f(_grey(red[p], green[p], blue[p]))
            # a loop with one source and one result is turned into vector instructions
            for c in range(3):
                source, result = images[n, c, start:stop], found[n, c, start:stop]
                for p in range(source.size):
                    result[p] = _byte(grey[p] + factor * (_f(source[p]) - grey[p]))


@_compiled
def sharpen(images: Any, factors: Any, found: Any) -> None:
    """Blends of each byte with its 3 × 3 neighbourhood, centre 5 of 13, uint8 (N, 3, H, W), H and W 3 or more."""
    thirteen, five = _f(13), _f(5)
    height, width = images.shape[2], images.shape[3]
    for n in range(images.shape[0]):
        factor = factors[n]
        for c in range(3):
            found[n, c, 0] = images[n, c, 0]
            found[n, c, height - 1] = images[n, c, height - 1]
            for y in range(1, height - 1):
                above, here, below = images[n, c, y - 1], images[n, c, y], images[n, c, y + 1]
                row = found[n, c, y]
                row[0], row[width - 1] = here[0], here[width - 1]
                for x in range(1, width - 1):
                    around = _f(above[x - 1]) + _f(above[x]) + _f(above[x + 1]) + _f(here[x - 1]) + _f(here[x + 1])
                    around += _f(below[x - 1]) + _f(below[x]) + _f(below[x + 1])
                    value = _f(here[x])
                    smooth = _f(np.uint8((around + value * five) / thirteen + _ROUND))
                    row[x] = _byte(smooth + factor * (value - smooth))


@_compiled
def turn_hue(images: Any, turns: Any, found: Any) -> None:
    """Colours turned by a share of the circle, uint8 (N, 3, P); value and saturation stay."""
    two, four, six = _f(2), _f(4), _f(6)
    for n in range(images.shape[0]):
        turn = six * turns[n]
        for p in range(images.shape[2]):
            red, green, blue = _f(images[n, 0, p]), _f(images[n, 1, p]), _f(images[n, 2, p])
            high, low = max(red, max(green, blue)), min(red, min(green, blue))
            chroma = high - low
            safe = max(chroma, _ONE)
            if high == red:
                sixth = (green - blue) / safe
            elif high == green:
                sixth = (blue - red) / safe + two
            else:
                sixth = (red - green) / safe + four
            sixth += turn
            for c, start in ((0, _f(5)), (1, _f(3)), (2, _ONE)):
                place = sixth + start
                place -= six * np.floor(place / six)
                weight = min(max(min(place, four - place), _LOW), _ONE)
                found[n, c, p] = np.uint8(np.rint(high - chroma * weight))


@_compiled
def count_bytes(channels: Any, found: Any) -> None:
    """How often each byte stands in each channel: int64 (C, 256) of uint8 (C, P), four counts side by side."""
    parts = np.zeros((4, 256), dtype=np.int64)
    for c in range(channels.shape[0]):
        parts[:] = 0
        channel = channels[c]
        whole = channel.size // 4 * 4
        for p in range(0, whole, 4):
            parts[0, channel[p]] += 1
            parts[1, channel[p + 1]] += 1
            parts[2, channel[p + 2]] += 1
            parts[3, channel[p + 3]] += 1
        for p in range(whole, channel.size):
            parts[0, channel[p]] += 1
        found[c] = parts[0] + parts[1] + parts[2] + parts[3]


@_compiled
def look_up(channels: Any, tables: Any, found: Any) -> None:
    """Each channel through its table: uint8 (C, P) and (C, 256)."""
    for c in range(channels.shape[0]):
        table, source, result = tables[c], channels[c], found[c]
        for p in range(source.size):
            result[p] = table[source[p]]


@_compiled
def warp(images: Any, maps: Any, fill: Any, found: Any) -> None:
    """Bilinear affine maps, uint8 (N, 3, H, W); see :func:`tricklab.data.image_transforms.warping.warp`.

    Args:
        maps: float64 (N, 2, 3).
        fill: uint8 (3,).
    """
    height, width = images.shape[2], images.shape[3]
    for n in range(images.shape[0]):
        across_x, across_y, start_x = maps[n, 0, 0], maps[n, 0, 1], maps[n, 0, 2]
        down_x, down_y, start_y = maps[n, 1, 0], maps[n, 1, 1], maps[n, 1, 2]
        red, green, blue = images[n, 0], images[n, 1], images[n, 2]
        for y in range(height):
            u0 = across_y * (y + 0.5) + start_x
            v0 = down_y * (y + 0.5) + start_y
            for x in range(width):
                u, v = across_x * (x + 0.5) + u0, down_x * (x + 0.5) + v0
                if not (0.0 <= u < width and 0.0 <= v < height):
                    found[n, 0, y, x], found[n, 1, y, x], found[n, 2, y, x] = fill[0], fill[1], fill[2]
                    continue
                u, v = u - 0.5, v - 0.5
                left, top = int(u + 1.0) - 1, int(v + 1.0) - 1  # rounded down: neither lies below -0.5
                right_share, bottom_share = _f(u - left), _f(v - top)
                right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
                left, top = max(left, 0), max(top, 0)
                for c, channel in ((0, red), (1, green), (2, blue)):
                    a, b = _f(channel[top, left]), _f(channel[bottom, left])
                    a += right_share * (_f(channel[top, right]) - a)
                    b += right_share * (_f(channel[bottom, right]) - b)
                    found[n, c, y, x] = np.uint8(a + bottom_share * (b - a) + _ROUND)
