"""A part of an image at another size, compiled by numba: what lies outside the part is never computed."""

# mypy: disable-error-code="no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

from typing import Any

import numpy as np

from tricklab.ops.compiled import compiled
from tricklab.ops.selective_scan.lanes import LANES, load, store

_ALL = np.intp(LANES)
_f = np.float32


def resized_part(image_HWC: np.ndarray, size: tuple[int, int], rows: range, columns: range) -> np.ndarray:
    """Some rows and columns of the image resized to ``size``: bilinear, antialiased where it shrinks.

    A pixel is a weighted mean of those whose centres lie within ``max(1, old / new)`` of its own, the weight falling
    evenly to 0; beyond the edge there is nothing. That is ``torch.nn.functional.interpolate`` with ``antialias=True``,
    computed in float32 and rounded once.

    Args:
        image_HWC: uint8, uint16 or float32, of any memory layout; stays as it is.
        size: (height, width) of the whole resized image.
        rows, columns: which ones of it, in this order; not empty. A step of -1 mirrors.

    Returns:
        (len(rows), len(columns), C), of the image's dtype, contiguous.

    >>> ramp = np.arange(0, 80, 10, dtype=np.uint8).reshape(1, 8, 1)
    >>> resized_part(ramp, (1, 4), range(1), range(1, 3)).ravel().tolist()
    [25, 45]
    """
    image, rows = _forwards(image_HWC, 0, rows, size[0])
    image, columns = _forwards(image, 1, columns, size[1])
    height, width, channels = image.shape
    # read-only arrays are another type to numba: one type, one compilation
    source = np.ascontiguousarray(image).reshape(height, width * channels)
    source.flags.writeable = False
    found = np.empty((len(rows), len(columns) * channels), dtype=image.dtype)
    down = (size[0], rows.start, rows.step)
    across = (size[1], columns.start, columns.step)
    _resize(source, channels, *down, *across, _f(0.5 if image.dtype.kind == "u" else 0), found)
    return found.reshape(len(rows), len(columns), channels)


def _forwards(image: np.ndarray, axis: int, places: range, length: int) -> tuple[np.ndarray, range]:
    """A mirrored view as what it is a view of, and which places of that are the ones asked for: nothing is copied."""
    if image.strides[axis] >= 0:
        return image, places
    last = length - 1
    return np.flip(image, axis), range(last - places.start, last - places.stop, -places.step)


@compiled
def _weights(have: Any, want: Any, start: Any, step: Any, count: Any) -> Any:
    """Of each place: the first pixel that counts, and the weights of it and its followers, (count, taps)."""
    ratio = have / want
    reach = max(ratio, 1.0)
    taps = min(int(np.ceil(2 * reach)), have)
    firsts, weights = np.empty(count, dtype=np.intp), np.empty((count, taps), dtype=np.float32)
    for i in range(count):
        centre = ratio * (start + step * i + 0.5)
        first = min(max(int(np.floor(centre - reach - 0.5)) + 1, 0), have - taps)
        total = 0.0
        for t in range(taps):
            total += max(0.0, 1 - abs(first + t + 0.5 - centre) / reach)
        for t in range(taps):
            weights[i, t] = max(0.0, 1 - abs(first + t + 0.5 - centre) / reach) / total
        firsts[i] = first
    return firsts, weights


@compiled
def _resize(
    source: Any, channels: Any, height: Any, top: Any, down: Any, width: Any, left: Any, right: Any, half: Any,
    found: Any,
) -> None:  # fmt: skip
    """Rows ``top``, ``top + down``, … and columns ``left``, ``left + right``, … of (H, W · C) at height and width.

    A row at a time: down the columns that the part needs, then across, then rounded.

    Args:
        half: added before numbers are cut to whole ones; 0 for real ones.
        found: (rows, columns · C).
    """
    pixels = found.shape[1] // channels
    firsts, weights = _weights(source.shape[0], height, top, down, found.shape[0])
    places, shares = _weights(source.shape[1] // channels, width, left, right, pixels)
    begin = min(places[0], places[-1]) * channels
    end = (max(places[0], places[-1]) + shares.shape[1]) * channels
    places = places * channels - begin
    # sixteen numbers are read and written at once, also behind the end
    line, row = np.zeros(end - begin + LANES, dtype=np.float32), np.empty(found.shape[1] + LANES, dtype=np.float32)
    for y in range(found.shape[0]):
        _mean_of_rows(source[firsts[y] : firsts[y] + weights.shape[1], begin:end], weights[y], line)
        # the last block first: what it writes behind a pixel's end is the next pixel's beginning
        for channel in range((channels - 1) // LANES * LANES, -1, -LANES):
            _mean_of_pixels(line[channel:], places, shares, channels, row[channel:])
        result = found[y]
        for k in range(result.size):
            result[k] = row[k] + half


@compiled
def _mean_of_rows(rows: Any, weights: Any, line: Any) -> None:
    """The weighted sum of some rows, to the beginning of the line."""
    numbers, taps = rows.shape[1], weights.size
    first, one = rows[0], weights[0]
    if taps == 1:
        for x in range(numbers):
            line[x] = _f(first[x])
        return
    second, two = rows[1], weights[1]
    for x in range(numbers):
        line[x] = one * _f(first[x]) + two * _f(second[x])
    for t in range(2, taps):
        one, first = weights[t], rows[t]
        for x in range(numbers):
            line[x] += one * _f(first[x])


@compiled
def _mean_of_pixels(line: Any, places: Any, weights: Any, channels: Any, row: Any) -> None:
    """The weighted sums of pixels of the line, the channels of a pixel at once."""
    taps = weights.shape[1]
    if taps == 2:  # whatever is enlarged: twice as fast as the loop below
        for x in range(places.size):
            i = places[x]
            pair = load(line, i, _ALL) * weights[x, 0] + load(line, i + channels, _ALL) * weights[x, 1]
            store(row, x * channels, pair, _ALL)
        return
    for x in range(places.size):
        i = places[x]
        total = load(line, i, _ALL) * weights[x, 0]
        for t in range(1, taps):
            total = total + load(line, i + t * channels, _ALL) * weights[x, t]
        store(row, x * channels, total, _ALL)
