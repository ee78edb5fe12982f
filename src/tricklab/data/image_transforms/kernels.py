"""Loops over the bytes of images, compiled by numba: what torch needs several passes over memory for is one pass here.

Images are uint8 (N, 3, H, W), contiguous; every kernel gives the same bytes as Pillow's C code, see the callers.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from typing import Any

import numpy as np

from tricklab.ops.compiled import compiled

_f = np.float32
# Pillow's mode L: whole numbers below 2^24, so float32 is exact
_RED, _GREEN, _BLUE, _HALF, _SCALE = _f(19595), _f(38470), _f(7471), _f(32768), _f(1 / 65536)
_AT_ONCE = 2048  # pixels whose grey values stay in the nearest cache
_LOW, _HIGH, _ONE, _ROUND = _f(0), _f(255), _f(1), _f(0.5)


@compiled
def _grey(red: Any, green: Any, blue: Any) -> Any:
    return np.uint8((_f(red) * _RED + _f(green) * _GREEN + _f(blue) * _BLUE + _HALF) * _SCALE)


@compiled
def _byte(value: Any) -> Any:
    return np.uint8(min(max(value, _LOW), _HIGH))


@compiled
def luminance(images: Any, found: Any) -> None:
    """Grey values into ``found``, uint8 (N, P), of uint8 (N, 3, P)."""
    for n in range(images.shape[0]):
        red, green, blue = images[n, 0], images[n, 1], images[n, 2]
        grey = found[n]
        for p in range(grey.size):
            grey[p] = _grey(red[p], green[p], blue[p])


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
def look_up(channels: Any, tables: Any, found: Any) -> None:
    """Each channel through its table: uint8 (C, P) and (C, 256)."""
    for c in range(channels.shape[0]):
        table, source, result = tables[c], channels[c], found[c]
        for p in range(source.size):
            result[p] = table[source[p]]


@compiled
def warp(images: Any, maps: Any, fill: Any, found: Any) -> None:
    """Bilinear affine maps, uint8 (N, 3, H, W); see :func:`tricklab.data.image_transforms.warping.warp`.

    A row at a time in three loops: where each pixel is read, its four neighbours, and what lies between them. The first
    and the last are turned into vector instructions.

    Args:
        maps: float64 (N, 2, 3).
        fill: uint8 (3,).
    """
    height, width = images.shape[2], images.shape[3]
    inside = np.empty(width, dtype=np.bool_)
    across, down = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32)
    places, near = np.empty((4, width), dtype=np.uint32), np.empty((4, width), dtype=np.uint8)
    one, two, three, four = near[0], near[1], near[2], near[3]
    for n in range(images.shape[0]):
        matrix, channels, result = maps[n], images[n].reshape(3, height * width), found[n]
        for y in range(height):
            _find_places(matrix, y, height, inside, across, down, places)
            for c in range(3):
                _pick(channels[c], places, one, two, three, four)
                _between(one, two, three, four, across, down, inside, fill[c], result[c, y])


@compiled
def _find_places(matrix: Any, y: int, height: int, inside: Any, across: Any, down: Any, places: Any) -> None:
    """Of a row of the result: which pixels lie inside, their shares to the right and below, their four neighbours."""
    width = inside.size
    u0, v0 = matrix[0, 1] * (y + 0.5) + matrix[0, 2], matrix[1, 1] * (y + 0.5) + matrix[1, 2]
    by_x, by_y = matrix[0, 0], matrix[1, 0]
    top_left, top_right, below_left, below_right = places[0], places[1], places[2], places[3]
    last_x, last_y = np.int32(width - 1), np.int32(height - 1)
    one, none = np.int32(1), np.int32(0)
    for x in range(width):
        u, v = by_x * (x + 0.5) + u0, by_y * (x + 0.5) + v0
        inside[x] = (u >= 0.0) & (u < width) & (v >= 0.0) & (v < height)
        u, v = min(max(u, 0.0), float(width)) - 0.5, min(max(v, 0.0), float(height)) - 0.5
        # rounded down: neither lies below -0.5
        left, top = np.int32(u + 1.0) - one, np.int32(v + 1.0) - one
        across[x], down[x] = _f(u - left), _f(v - top)
        right, bottom = min(np.int32(left + one), last_x), min(np.int32(top + one), last_y)
        left, top = min(max(np.int32(left), none), last_x), min(max(np.int32(top), none), last_y)
        top_left[x], top_right[x] = top * width + left, top * width + right
        below_left[x], below_right[x] = bottom * width + left, bottom * width + right


@compiled
def _pick(channel: Any, places: Any, one: Any, two: Any, three: Any, four: Any) -> None:
    for x in range(one.size):
        one[x], two[x] = channel[places[0, x]], channel[places[1, x]]
        three[x], four[x] = channel[places[2, x]], channel[places[3, x]]


@compiled
def _between(a: Any, b: Any, c: Any, d: Any, across: Any, down: Any, inside: Any, fill: Any, row: Any) -> None:
    """What lies between four pixels: a and b above, c and d below."""
    for x in range(row.size):
        above, below = _f(a[x]), _f(c[x])
        above += across[x] * (_f(b[x]) - above)
        below += across[x] * (_f(d[x]) - below)
        value = np.uint8(above + down[x] * (below - above) + _ROUND)
        row[x] = value if inside[x] else fill
