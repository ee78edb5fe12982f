"""The selective scan compiled by numba: forward, and backward by hand.

A work item is one image and one group; items are independent of each other. A walk over the pixels is cut into tiles.
Forward goes once over everything and keeps the state before each tile; backward goes over the tiles in reverse order,
computes a tile's states again, then walks it backwards. Channels are the parallel direction: sixteen at a time.
"""

# mypy: disable-error-code="call-arg, arg-type, var-annotated"

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import overload

from tricklab.ops.compiled import OPTIONS, compiled
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


@overload(_exponential, jit_options=OPTIONS)
def _exponential_for(value: Any) -> Any:
    """float32: within 1.5 units in the last place, 0 below about 2⁻¹²⁵, NaN stays; short chains, not few products."""
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


@overload(_log_one_plus, jit_options=OPTIONS)
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


def _rows(
    start: int, stop: int, image: int, length: int, group: int, groups: int, height: int, width: int, backwards: bool,
    found: Any,
) -> None:  # fmt: skip
    """Rows of the (batch · L · G) matrix that the steps of a walk visit; a height of 1 walks along the image's rows."""
    step = length - 1 - start if backwards else start
    y, x = step % height, step // height
    for i in range(stop - start):
        found[i] = (image * length + y * width + x) * groups + group
        if backwards:
            y -= 1
            if y < 0:
                y, x = height - 1, x - 1
        else:
            y += 1
            if y == height:
                y, x = 0, x + 1


def _scratch(count: int, like: Any) -> Any:
    """An array whose sixteens lie in whole cache lines: halves spread over two lines cost twice."""
    found = np.empty(count + LANES, like.dtype)
    skip = -found.ctypes.data % 64 // found.itemsize
    return found[skip : skip + count]


def _steps(
    delta: Any, bias: Any, rows: Any, count: int, group: int, channels: int, padded: int, softplus: bool, steps: Any,
    slopes: Any,
) -> None:  # fmt: skip
    """dt of a tile and, where there is room, its derivative; a loop of its own, since short chains overlap better."""
    for i in range(count):
        for k in range(0, channels, LANES):
            lanes = channels - k
            dt = load(delta, rows[i] * channels + k, lanes) + load(bias, group * channels + k, lanes)
            if softplus:
                small = _exponential(negative_magnitude(dt))
                if slopes.size > 0:
                    store(slopes, i * padded + k, where_positive(dt, _ONE, small) / (small + _ONE), LANES)
                dt = larger(dt, _ZERO) + _log_one_plus(small)
            store(steps, i * padded + k, dt, LANES)


_rows, _scratch, _steps = map(compiled, (_rows, _scratch, _steps))


def _forward(
    u: Any, delta: Any, rate: Any, b: Any, c: Any, skip: Any, bias: Any, length: int, groups: int, channels: int,
    orders: int, heights: Any, backwards: Any, width: int, softplus: bool, tile: int, first: int,
    last: int, y: Any, states: Any,
) -> None:  # fmt: skip
    tiles = (length + tile - 1) // tile
    padded = (channels + LANES - 1) // LANES * LANES
    rows = np.empty(2 * tile, np.int64)
    state, steps = _scratch(orders * padded, u), _scratch(tile * padded, u)
    for item in range(first, last):
        image, group = item // groups, item % groups
        walk = (image, length, group, groups, heights[group], width, backwards[group])
        state[:] = 0
        for t in range(tiles):
            start = t * tile
            count = min(tile, length - start)
            ahead = min(2 * tile, length - start)
            _rows(start, start + ahead, *walk, rows)
            if states.size > 0:
                for n in range(orders):
                    for k in range(0, channels, LANES):
                        at = ((item * tiles + t) * orders + n) * channels + k
                        store(states, at, load(state, n * padded + k, LANES), channels - k)
            _steps(delta, bias, rows, count, group, channels, padded, softplus, steps, steps[:0])
            for i in range(count):
                row, after = rows[i], rows[min(i + tile, ahead - 1)]
                for k in range(0, channels, LANES):
                    lanes = channels - k
                    at, later = row * channels + k, after * channels + k
                    prefetch(delta, later, False)
                    prefetch(u, later, False)
                    prefetch(y, later, True)
                    dt, x = load(steps, i * padded + k, LANES), load(u, at, lanes)
                    out = load(skip, group * channels + k, lanes) * x
                    for n in range(orders):
                        gate = _exponential(dt * load(rate, (group * orders + n) * channels + k, lanes))
                        h = gate * load(state, n * padded + k, LANES) + dt * b[row * orders + n] * x
                        store(state, n * padded + k, h, LANES)
                        out = out + h * c[row * orders + n]
                    store(y, at, out, lanes)


def _backward(
    dy: Any, u: Any, delta: Any, rate: Any, b: Any, c: Any, skip: Any, bias: Any, length: int, groups: int,
    channels: int, orders: int, heights: Any, backwards: Any, width: int, softplus: bool, tile: int, first: int,
    last: int, states: Any, du: Any, ddelta: Any, drate: Any, db: Any, dc: Any, dskip: Any, dbias: Any,
) -> None:  # fmt: skip
    tiles = (length + tile - 1) // tile
    padded = (channels + LANES - 1) // LANES * LANES
    all_rows = np.empty(2 * tile, np.int64)
    steps, slopes = _scratch(tile * padded, u), _scratch(tile * padded, u)
    gates, pasts = _scratch(tile * orders * padded, u), _scratch(tile * orders * padded, u)
    sums_b, sums_c = _scratch(tile * LANES, u), _scratch(tile * LANES, u)
    state, carry, rates = _scratch(orders * padded, u), _scratch(orders * padded, u), _scratch(orders * padded, u)
    skips, biases = _scratch(padded, u), _scratch(padded, u)
    for item in range(first, last):
        image, group = item // groups, item % groups
        walk = (image, length, group, groups, heights[group], width, backwards[group])
        carry[:], rates[:], skips[:], biases[:] = 0, 0, 0, 0
        for t in range(tiles - 1, -1, -1):
            start = t * tile
            count = min(tile, length - start)
            before = max(start - tile, 0)
            _rows(before, start + count, *walk, all_rows)
            rows = all_rows[start - before :]
            for n in range(orders):
                for k in range(0, channels, LANES):
                    at = ((item * tiles + t) * orders + n) * channels + k
                    store(state, n * padded + k, load(states, at, channels - k), LANES)
            _steps(delta, bias, rows, count, group, channels, padded, softplus, steps, slopes)
            for i in range(count):
                for k in range(0, channels, LANES):
                    lanes = channels - k
                    at = rows[i] * channels + k
                    prefetch(dy, at, False)
                    prefetch(du, at, True)
                    prefetch(ddelta, at, True)
                    dt, x = load(steps, i * padded + k, LANES), load(u, at, lanes)
                    for n in range(orders):
                        gate = _exponential(dt * load(rate, (group * orders + n) * channels + k, lanes))
                        past = gate * load(state, n * padded + k, LANES)
                        store(gates, (i * orders + n) * padded + k, gate, LANES)
                        store(pasts, (i * orders + n) * padded + k, past, LANES)
                        store(state, n * padded + k, past + dt * b[rows[i] * orders + n] * x, LANES)
            for n in range(orders):
                for k in range(0, channels, LANES):
                    lanes = channels - k
                    decay = load(rate, (group * orders + n) * channels + k, lanes)
                    direct = load(skip, group * channels + k, lanes)
                    behind = load(carry, n * padded + k, LANES)
                    sum_skip = sum_bias = sum_rate = load(carry, 0, 0)  # zeros: sums of tiles round less
                    for i in range(count - 1, -1, -1):
                        at, here = rows[i] * channels + k, (i * orders + n) * padded + k
                        if n == 0:  # the tile that comes next
                            prefetch(delta, all_rows[i] * channels + k, False)
                            prefetch(u, all_rows[i] * channels + k, False)
                        b_i, c_i = b[rows[i] * orders + n], c[rows[i] * orders + n]
                        out, x, dt = load(dy, at, lanes), load(u, at, lanes), load(steps, i * padded + k, LANES)
                        past = load(pasts, here, LANES)
                        driven = dt * x
                        pull = out * c_i + behind
                        behind = load(gates, here, LANES) * pull
                        to_b, to_c = pull * driven, out * (past + driven * b_i)
                        if k > 0:
                            to_b, to_c = to_b + load(sums_b, i * LANES, LANES), to_c + load(sums_c, i * LANES, LANES)
                        store(sums_b, i * LANES, to_b, LANES)
                        store(sums_c, i * LANES, to_c, LANES)
                        flow = pull * past
                        sum_rate = sum_rate + flow * dt
                        ddt, dx = pull * (x * b_i) + flow * decay, pull * (dt * b_i)
                        if n == 0:
                            dx = dx + out * direct
                            sum_skip = sum_skip + out * x
                        else:
                            dx, ddt = dx + load(du, at, lanes), ddt + load(ddelta, at, lanes)
                        if n == orders - 1:
                            if softplus:
                                ddt = ddt * load(slopes, i * padded + k, LANES)
                            sum_bias = sum_bias + ddt
                        store(du, at, dx, lanes)
                        store(ddelta, at, ddt, lanes)
                    store(skips, k, load(skips, k, LANES) + sum_skip, LANES)
                    store(biases, k, load(biases, k, LANES) + sum_bias, LANES)
                    store(carry, n * padded + k, behind, LANES)
                    store(rates, n * padded + k, load(rates, n * padded + k, LANES) + sum_rate, LANES)
                for i in range(count):
                    db[rows[i] * orders + n] = total(load(sums_b, i * LANES, LANES))
                    dc[rows[i] * orders + n] = total(load(sums_c, i * LANES, LANES))
        for k in range(0, channels, LANES):
            lanes = channels - k
            store(dskip, item * channels + k, load(skips, k, LANES), lanes)
            store(dbias, item * channels + k, load(biases, k, LANES), lanes)
            for n in range(orders):
                store(drate, (item * orders + n) * channels + k, load(rates, n * padded + k, LANES), lanes)


forward, backward = compiled(_forward), compiled(_backward)
