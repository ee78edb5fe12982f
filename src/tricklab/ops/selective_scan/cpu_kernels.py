"""The selective scan compiled by numba: forward, and backward by hand.

A work item is one image and one group; items are independent of each other. A walk over the pixels is cut into tiles.
Forward goes once over everything and keeps the state before each tile; backward goes over the tiles in reverse order,
computes a tile's states again, then walks it backwards. Channels are the parallel direction: sixteen at a time.
"""

# mypy: disable-error-code="call-arg, arg-type, var-annotated"

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import overload

from tricklab.ops.selective_scan.lanes import (
    LANES,
    half_power_of_two,
    larger,
    library_exp,
    library_log,
    load,
    negative_magnitude,
    prefetch,
    smaller,
    store,
    total,
    where_positive,
)

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile when first called; the machine code is kept beside the source or else in the user's cache folder."""
    try:
        return numba.njit(function, cache=True, **_OPTIONS)
    except RuntimeError:  # neither place can be written
        return numba.njit(function, **_OPTIONS)


_f = np.float32
_ZERO, _ONE, _TWO = _f(0), _f(1), _f(2)
_LOG2_E, _ROUNDER = _f(math.log2(math.e)), _f(1.5 * 2**23)  # adding the rounder leaves the nearest integer in the bits
_LN2_HIGH, _LN2_LOW = _f(0.693359375), _f(-2.12194440e-4)
_UNDERFLOW, _OVERFLOW = _f(-87.6), _f(89.0)
# least-maximum fits of 2 (exp(r) - 1 - r) / r² on ±ln 2 / 2 and of (artanh(s) / s - 1) / s² in s² on [0, 1/9]
_E0, _E1, _E2, _E3, _E4 = map(_f, (0.9999999, 0.3333304, 0.083336785, 0.016737562, 0.0027628935))
_L0, _L1, _L2, _L3 = map(_f, (0.33333206, 0.20010799, 0.14000268, 0.14009386))


def _exponential(value: Any) -> Any:
    raise NotImplementedError


def _log_one_plus(value: Any) -> Any:
    raise NotImplementedError


@overload(_exponential, jit_options=_OPTIONS)
def _exponential_for(value: Any) -> Any:
    """float32: within 1.5 units in the last place, 0 below about 2⁻¹²⁵, NaN stays NaN; short chains, not few products."""
    if value.scalar != types.float32:

        def exact(value: Any) -> Any:
            return library_exp(value)

        return exact

    def exponential(value: Any) -> Any:
        value = smaller(larger(value, _UNDERFLOW), _OVERFLOW)
        rounded = value * _LOG2_E + _ROUNDER
        power = rounded - _ROUNDER
        rest = value - power * _LN2_HIGH
        rest = rest - power * _LN2_LOW
        square = rest * rest
        fit = (_E0 + rest * _E1) + square * ((_E2 + rest * _E3) + square * _E4)
        return ((_TWO + rest * _TWO) + square * fit) * half_power_of_two(rounded)

    return exponential


@overload(_log_one_plus, jit_options=_OPTIONS)
def _log_one_plus_for(value: Any) -> Any:
    """log(1 + value) for values in [0, 1], accurate near 0 too."""
    if value.scalar != types.float32:

        def exact(value: Any) -> Any:
            above = value + _ONE
            kept = above - _ONE  # what the sum kept of the value
            scale = value / where_positive(kept, kept, kept + _ONE)
            return where_positive(kept, library_log(above) * scale, value)

        return exact

    def log_one_plus(value: Any) -> Any:
        ratio = value / (_TWO + value)  # log(1 + x) is 2 artanh(x / (2 + x))
        square = ratio * ratio
        fit = (_L0 + square * _L1) + (square * square) * (_L2 + square * _L3)
        return _TWO * (ratio + ratio * square * fit)

    return log_one_plus


def _pixels(start: int, stop: int, length: int, height: int, width: int, backwards: bool, found: Any) -> None:
    """Raster indices of the steps: down columns of ``height`` pixels; a height of 1 walks along the rows."""
    step = length - 1 - start if backwards else start
    row, column = step % height, step // height
    for i in range(stop - start):
        found[i] = row * width + column
        if backwards:
            row -= 1
            if row < 0:
                row, column = height - 1, column - 1
        else:
            row += 1
            if row == height:
                row, column = 0, column + 1


def _scratch(count: int, like: Any) -> Any:
    """An array whose sixteens lie in whole cache lines: halves spread over two lines cost twice."""
    found = np.empty(count + LANES, like.dtype)
    skip = -found.ctypes.data % 64 // found.itemsize
    return found[skip : skip + count]


def _steps(
    delta: Any, bias: Any, pixels: Any, rows: int, image: int, length: int, group: int, groups: int, channels: int,
    padded: int, softplus: bool, steps: Any, slopes: Any,
) -> None:  # fmt: skip
    """dt of a tile and, where there is room, its derivative; a loop of its own, since short chains overlap better."""
    for i in range(rows):
        row = (image * length + pixels[i]) * groups + group
        for k in range(0, channels, LANES):
            count = channels - k
            dt = load(delta, row * channels + k, count) + load(bias, group * channels + k, count)
            if softplus:
                small = _exponential(negative_magnitude(dt))
                if slopes.size > 0:
                    store(slopes, i * padded + k, where_positive(dt, _ONE, small) / (small + _ONE), LANES)
                dt = larger(dt, _ZERO) + _log_one_plus(small)
            store(steps, i * padded + k, dt, LANES)


_pixels, _scratch, _steps = map(_compiled, (_pixels, _scratch, _steps))


def _forward(
    u: Any, delta: Any, rate: Any, b: Any, c: Any, skip: Any, bias: Any, length: int, groups: int, channels: int,
    orders: int, heights: Any, backwards: Any, width: int, softplus: bool, tile: int, first: int,
    last: int, y: Any, states: Any,
) -> None:  # fmt: skip
    tiles = (length + tile - 1) // tile
    padded = (channels + LANES - 1) // LANES * LANES
    pixels = np.empty(2 * tile, np.int64)
    state, steps = _scratch(orders * padded, u), _scratch(tile * padded, u)
    for item in range(first, last):
        image, group = item // groups, item % groups
        state[:] = 0
        for t in range(tiles):
            start = t * tile
            rows = min(tile, length - start)
            ahead = min(2 * tile, length - start)
            _pixels(start, start + ahead, length, heights[group], width, backwards[group], pixels)
            if states.size > 0:
                for n in range(orders):
                    at = ((image * groups + group) * tiles + t) * orders + n
                    for k in range(0, channels, LANES):
                        count = channels - k
                        store(states, at * channels + k, load(state, n * padded + k, LANES), count)
            _steps(
                delta, bias, pixels, rows, image, length, group, groups, channels, padded, softplus, steps, steps[:0]
            )  # fmt: skip
            for i in range(rows):
                row = (image * length + pixels[i]) * groups + group
                after = (image * length + pixels[min(i + tile, ahead - 1)]) * groups + group
                for k in range(0, channels, LANES):
                    count = channels - k
                    at, next_at = row * channels + k, after * channels + k
                    prefetch(delta, next_at, False)
                    prefetch(u, next_at, False)
                    prefetch(y, next_at, True)
                    dt, x = load(steps, i * padded + k, LANES), load(u, at, count)
                    out = load(skip, group * channels + k, count) * x
                    for n in range(orders):
                        gate = _exponential(dt * load(rate, (group * orders + n) * channels + k, count))
                        h = gate * load(state, n * padded + k, LANES) + dt * b[row * orders + n] * x
                        store(state, n * padded + k, h, LANES)
                        out = out + h * c[row * orders + n]
                    store(y, at, out, count)


def _backward(
    dy: Any, u: Any, delta: Any, rate: Any, b: Any, c: Any, skip: Any, bias: Any, length: int, groups: int,
    channels: int, orders: int, heights: Any, backwards: Any, width: int, softplus: bool, tile: int, first: int,
    last: int, states: Any, du: Any, ddelta: Any, drate: Any, db: Any, dc: Any, dskip: Any, dbias: Any,
) -> None:  # fmt: skip
    tiles = (length + tile - 1) // tile
    padded = (channels + LANES - 1) // LANES * LANES
    pixels = np.empty(2 * tile, np.int64)
    steps, slopes = _scratch(tile * padded, u), _scratch(tile * padded, u)
    gates = _scratch(tile * orders * padded, u)
    history = _scratch((tile + 1) * orders * padded, u)
    carry = _scratch(orders * padded, u)
    rates = _scratch(orders * padded, u)
    skips, biases = _scratch(padded, u), _scratch(padded, u)
    for item in range(first, last):
        image, group = item // groups, item % groups
        carry[:], rates[:], skips[:], biases[:] = 0, 0, 0, 0
        for t in range(tiles - 1, -1, -1):
            start = t * tile
            rows = min(tile, length - start)
            before = max(start - tile, 0)
            _pixels(before, start + rows, length, heights[group], width, backwards[group], pixels)
            for n in range(orders):
                at = ((image * groups + group) * tiles + t) * orders + n
                for k in range(0, channels, LANES):
                    store(history, n * padded + k, load(states, at * channels + k, channels - k), LANES)
            _steps(
                delta, bias, pixels[start - before :], rows, image, length, group, groups, channels, padded, softplus,
                steps, slopes,
            )  # fmt: skip
            for i in range(rows):
                row = (image * length + pixels[start - before + i]) * groups + group
                for k in range(0, channels, LANES):
                    count = channels - k
                    at = row * channels + k
                    prefetch(dy, at, False)
                    prefetch(du, at, True)
                    prefetch(ddelta, at, True)
                    dt, x = load(steps, i * padded + k, LANES), load(u, at, count)
                    for n in range(orders):
                        here = (i * orders + n) * padded + k
                        gate = _exponential(dt * load(rate, (group * orders + n) * channels + k, count))
                        store(gates, here, gate, LANES)
                        h = gate * load(history, here, LANES) + dt * b[row * orders + n] * x
                        store(history, here + orders * padded, h, LANES)
            for i in range(rows - 1, -1, -1):
                earlier = (image * length + pixels[i]) * groups + group
                row = (image * length + pixels[start - before + i]) * groups + group
                for n in range(orders):
                    b_i, c_i = b[row * orders + n], c[row * orders + n]
                    sum_b = load(carry, 0, 0)
                    sum_c = load(carry, 0, 0)
                    for k in range(0, channels, LANES):
                        count = channels - k
                        at, here = row * channels + k, (i * orders + n) * padded + k
                        if n == 0:
                            prefetch(delta, earlier * channels + k, False)
                            prefetch(u, earlier * channels + k, False)
                        out, x = load(dy, at, count), load(u, at, count)
                        dt, gate = load(steps, i * padded + k, LANES), load(gates, here, LANES)
                        pull = out * c_i + load(carry, n * padded + k, LANES)
                        past = gate * load(history, here, LANES)
                        store(carry, n * padded + k, gate * pull, LANES)
                        sum_c = sum_c + out * load(history, here + orders * padded, LANES)
                        sum_b = sum_b + pull * (dt * x)
                        flow = pull * past
                        store(rates, n * padded + k, load(rates, n * padded + k, LANES) + flow * dt, LANES)
                        ddt = pull * (x * b_i) + flow * load(rate, (group * orders + n) * channels + k, count)
                        dx = pull * (dt * b_i)
                        if n == 0:
                            dx = dx + out * load(skip, group * channels + k, count)
                            store(skips, k, load(skips, k, LANES) + out * x, LANES)
                        else:
                            dx = dx + load(du, at, count)
                            ddt = ddt + load(ddelta, at, count)
                        if n == orders - 1 and softplus:
                            ddt = ddt * load(slopes, i * padded + k, LANES)
                        if n == orders - 1:
                            store(biases, k, load(biases, k, LANES) + ddt, LANES)
                        store(du, at, dx, count)
                        store(ddelta, at, ddt, count)
                    db[row * orders + n] = total(sum_b)
                    dc[row * orders + n] = total(sum_c)
        for k in range(0, channels, LANES):
            count = channels - k
            store(dskip, item * channels + k, load(skips, k, LANES), count)
            store(dbias, item * channels + k, load(biases, k, LANES), count)
            for n in range(orders):
                store(drate, (item * orders + n) * channels + k, load(rates, n * padded + k, LANES), count)


forward, backward = _compiled(_forward), _compiled(_backward)
