"""The selective scan in Triton: forward, and backward by recomputation from the state before each tile.

A program is one image, one group and one block of its channels; it walks the pixels in tiles (steps × orders ×
channels) and scans within a tile. Nothing is added atomically: sums over images and channel blocks are left to the
caller.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _join(gate_1, drive_1, gate_2, drive_2):
    """Two stretches of the recurrence h ← gate · h + drive as one."""
    return gate_1 * gate_2, gate_2 * drive_1 + drive_2


@triton.jit
def _join_past(gate_1, past_1, drive_1, gate_2, past_2, drive_2):
    """The same for what the last step finds, gate · h, kept apart from its own drive: no difference of near numbers."""
    return gate_1 * gate_2, gate_2 * (past_1 + drive_1) + past_2, drive_2


@triton.jit
def _step_and_slope(x, SOFTPLUS: tl.constexpr):
    """dt and its derivative by x; log(1 + e) is 2 artanh(e / (2 + e)), accurate near 0 too."""
    if SOFTPLUS:
        small = tl.exp(-tl.abs(x))
        ratio = small / (2.0 + small)
        square = ratio * ratio
        series = 0.33333206 + square * (0.20010799 + square * (0.14000268 + square * 0.14009386))
        step = tl.where(x < 0.0, 0.0, x) + 2.0 * (ratio + ratio * square * series)
        slope = tl.where(x > 0.0, 1.0, small) / (1.0 + small)
    else:
        step = x
        slope = tl.full(x.shape, 1.0, tl.float32)
    return step, slope


@triton.jit
def _rows(steps, image, group, code, length, height, width, groups):
    """Rows of the (batch · L · G) matrix that the steps of a group's walk visit."""
    walk = tl.where(code >= 2, length - 1 - steps, steps)
    pixel = tl.where(code % 2 == 1, (walk % height) * width + walk // height, walk)
    return (image * length + pixel) * groups + group


@triton.jit
def _place(groups, channels, codes, BLOCK: tl.constexpr):
    """What a program works on: its item (image and group), how the group walks, its channels and which there are."""
    item = tl.program_id(0)
    group = item % groups
    lane = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    return item, (item // groups).to(tl.int64), group, (codes >> (2 * group)) & 3, lane, lane < channels


@triton.jit
def _of_channels(
    rate, skip, bias, channel, there, order, known,
    ORDERS: tl.constexpr, BLOCK: tl.constexpr, HAS_SKIP: tl.constexpr, HAS_BIAS: tl.constexpr,
):  # fmt: skip
    """A (orders × channels), D and the bias of delta of a program's channels; zeros where there are none."""
    rates = tl.load(rate + channel[None, :] * ORDERS + order[:, None], mask=known, other=0.0).to(tl.float32)
    skips = tl.zeros([BLOCK], tl.float32)
    biases = tl.zeros([BLOCK], tl.float32)
    if HAS_SKIP:
        skips += tl.load(skip + channel, mask=there, other=0.0).to(tl.float32)
    if HAS_BIAS:
        biases += tl.load(bias + channel, mask=there, other=0.0).to(tl.float32)
    return rates, skips, biases


@triton.jit
def forward_kernel(
    u, delta, rate, b, c, skip, bias, y, states, length, height, width, groups, channels, tiles, codes,
    ORDERS: tl.constexpr, ORDERS_UP: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr, SOFTPLUS: tl.constexpr,
    HAS_SKIP: tl.constexpr, HAS_BIAS: tl.constexpr, KEEP: tl.constexpr,
):  # fmt: skip
    item, image, group, code, lane, there = _place(groups, channels, codes, BLOCK)
    channel = group * channels + lane
    order = tl.arange(0, ORDERS_UP)
    known = (order < ORDERS)[:, None] & there[None, :]
    rates, skips, biases = _of_channels(
        rate, skip, bias, channel, there, order, known, ORDERS, BLOCK, HAS_SKIP, HAS_BIAS
    )
    state = tl.zeros([ORDERS_UP, BLOCK], tl.float32)
    for t in range(tiles):
        if KEEP:
            first = (item.to(tl.int64) * tiles + t) * ORDERS * channels
            tl.store(states + first + order[:, None] * channels + lane[None, :], state, mask=known)
        index = tl.arange(0, TILE)
        steps = t * TILE + index
        inside = steps < length
        rows = _rows(steps, image, group, code, length, height, width, groups)
        mask = inside[:, None] & there[None, :]
        at = rows[:, None] * channels + lane[None, :]
        at_order = rows[:, None] * ORDERS + order[None, :]
        mask_order = inside[:, None] & (order < ORDERS)[None, :]
        step, _ = _step_and_slope(tl.load(delta + at, mask=mask, other=0.0).to(tl.float32) + biases[None, :], SOFTPLUS)
        step = tl.where(mask, step, 0.0)  # steps behind the end change nothing
        x = tl.load(u + at, mask=mask, other=0.0).to(tl.float32)
        b_here = tl.load(b + at_order, mask=mask_order, other=0.0).to(tl.float32)
        c_here = tl.load(c + at_order, mask=mask_order, other=0.0).to(tl.float32)
        gate = tl.exp(step[:, None, :] * rates[None, :, :])
        drive = (step * x)[:, None, :] * b_here[:, :, None]
        gates, driven = tl.associative_scan((gate, drive), 0, _join)
        h = driven + gates * state[None, :, :]
        out = tl.sum(h * c_here[:, :, None], axis=1) + skips[None, :] * x
        tl.store(y + at, out.to(y.dtype.element_ty), mask=mask)
        state = tl.sum(tl.where((index == TILE - 1)[:, None, None], h, 0.0), axis=0)


@triton.jit
def backward_kernel(
    dy, u, delta, rate, b, c, skip, bias, states, du, ddelta, drate, db, dc, dskip, dbias, length, height, width,
    groups, channels, tiles, codes, all_rows,
    ORDERS: tl.constexpr, ORDERS_UP: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr, SOFTPLUS: tl.constexpr,
    HAS_SKIP: tl.constexpr, HAS_BIAS: tl.constexpr,
):  # fmt: skip
    item, image, group, code, lane, there = _place(groups, channels, codes, BLOCK)
    block = tl.program_id(1)
    channel = group * channels + lane
    order = tl.arange(0, ORDERS_UP)
    known = (order < ORDERS)[:, None] & there[None, :]
    rates, skips, biases = _of_channels(
        rate, skip, bias, channel, there, order, known, ORDERS, BLOCK, HAS_SKIP, HAS_BIAS
    )
    sum_rate = tl.zeros([ORDERS_UP, BLOCK], tl.float32)
    sum_skip = tl.zeros([BLOCK], tl.float32)
    sum_bias = tl.zeros([BLOCK], tl.float32)
    carry = tl.zeros([ORDERS_UP, BLOCK], tl.float32)  # gate · pull of the step behind the tile
    for done in range(tiles):
        t = tiles - 1 - done
        index = tl.arange(0, TILE)
        steps = t * TILE + index
        inside = steps < length
        rows = _rows(steps, image, group, code, length, height, width, groups)
        mask = inside[:, None] & there[None, :]
        at = rows[:, None] * channels + lane[None, :]
        at_order = rows[:, None] * ORDERS + order[None, :]
        mask_order = inside[:, None] & (order < ORDERS)[None, :]
        raw = tl.load(delta + at, mask=mask, other=0.0).to(tl.float32) + biases[None, :]
        step, slope = _step_and_slope(raw, SOFTPLUS)
        step = tl.where(mask, step, 0.0)
        x = tl.load(u + at, mask=mask, other=0.0).to(tl.float32)
        out = tl.load(dy + at, mask=mask, other=0.0).to(tl.float32)
        b_here = tl.load(b + at_order, mask=mask_order, other=0.0).to(tl.float32)
        c_here = tl.load(c + at_order, mask=mask_order, other=0.0).to(tl.float32)
        gate = tl.exp(step[:, None, :] * rates[None, :, :])
        drive = (step * x)[:, None, :] * b_here[:, :, None]
        first = (item.to(tl.int64) * tiles + t) * ORDERS * channels
        state = tl.load(states + first + order[:, None] * channels + lane[None, :], mask=known, other=0.0)
        gates, past, _ = tl.associative_scan((gate, tl.zeros_like(drive), drive), 0, _join_past)
        past += gates * state[None, :, :]
        h = past + drive
        # the gate of the step behind each one, computed again: rows do not shift between threads
        behind = steps + 1
        rows_behind = _rows(behind, image, group, code, length, height, width, groups)
        mask_behind = (behind < length)[:, None] & there[None, :]
        at_behind = rows_behind[:, None] * channels + lane[None, :]
        raw_behind = tl.load(delta + at_behind, mask=mask_behind, other=0.0).to(tl.float32) + biases[None, :]
        step_behind, _ = _step_and_slope(raw_behind, SOFTPLUS)
        step_behind = tl.where(mask_behind & (index < TILE - 1)[:, None], step_behind, 0.0)
        gate_behind = tl.exp(step_behind[:, None, :] * rates[None, :, :])
        pushed = out[:, None, :] * c_here[:, :, None]
        gates_behind, pull = tl.associative_scan((gate_behind, pushed), 0, _join, reverse=True)
        pull += gates_behind * carry[None, :, :]
        carry = tl.sum(tl.where((index == 0)[:, None, None], gate * pull, 0.0), axis=0)
        flow = pull * past
        weighted = tl.sum(pull * b_here[:, :, None], axis=1)
        tl.store(du + at, (weighted * step + skips[None, :] * out).to(du.dtype.element_ty), mask=mask)
        slanted = (weighted * x + tl.sum(flow * rates[None, :, :], axis=1)) * slope
        slanted = tl.where(mask, slanted, 0.0)
        tl.store(ddelta + at, slanted.to(ddelta.dtype.element_ty), mask=mask)
        at_part = (block * all_rows + rows)[:, None] * ORDERS + order[None, :]
        tl.store(db + at_part, tl.sum(pull * (step * x)[:, None, :], axis=2), mask=mask_order)
        tl.store(dc + at_part, tl.sum(h * out[:, None, :], axis=2), mask=mask_order)
        sum_rate += tl.sum(flow * step[:, None, :], axis=0)
        sum_skip += tl.sum(out * x, axis=0)
        sum_bias += tl.sum(slanted, axis=0)
    whole = image * groups * channels + channel
    tl.store(drate + whole[None, :] * ORDERS + order[:, None], sum_rate, mask=known)
    tl.store(dskip + whole, sum_skip, mask=there)
    tl.store(dbias + whole, sum_bias, mask=there)
