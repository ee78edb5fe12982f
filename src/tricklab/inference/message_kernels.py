"""What pixels tell the pixels around them, compiled by numba: sixteen pixels of a row at a time.

Planes of pixels have a border of zeros on all sides, wide enough for every partner, and lie flat: a pixel at ``i`` has
its partners at ``i + shift`` and ``i - shift``. ``first`` … ``last`` are rows of a plane with its border; rows are
independent of each other, so threads change no bit. ``left`` is the width of the border; a row is ``blocks`` times
sixteen pixels, and what is written behind its end is in the border and never read.
"""

# mypy: disable-error-code="no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tricklab.ops.compiled import compiled
from tricklab.ops.selective_scan.lanes import LANES, Lanes


def _place(context: Any, builder: Any, kind: Any, array: Any, offset: Any) -> tuple[Any, int]:
    """A pointer to sixteen numbers of a flat contiguous array, and the bytes of one."""
    vector = ir.VectorType(context.get_value_type(kind.dtype), LANES)
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer()), kind.dtype.bitwidth // 8


@intrinsic
def load(typing_context: Any, array: Any, offset: Any) -> Any:
    """``array[offset : offset + LANES]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, align = _place(context, builder, signature.args[0], arguments[0], arguments[1])
        return builder.load(pointer, align=align)

    return Lanes(array.dtype)(array, types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, offset: Any, lanes: Any) -> Any:
    """Write ``array[offset : offset + LANES]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, align = _place(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store(arguments[2], pointer, align=align)
        return context.get_dummy_value()

    return types.void(array, types.intp, Lanes(array.dtype)), generate


@compiled
def exponents(
    colours: Any, channels: Any, plane: Any, width: Any, shifts: Any, minus_places: Any, table: Any, left: Any,
    blocks: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """Minus (|I_i - I_j|² + place of the pair) for each pixel and pair, into ``table`` (rows, pairs, width)."""
    pairs = len(shifts)
    for y in range(first, last):
        for block in range(blocks):
            x = left + LANES * block
            i = y * width + x
            for p in range(pairs):
                apart = load(colours, i) - load(colours, i + shifts[p])
                found = minus_places[p] - apart * apart
                for c in range(1, channels):
                    i_c = c * plane + i
                    apart = load(colours, i_c) - load(colours, i_c + shifts[p])
                    found = found - apart * apart
                store(table, (y * pairs + p) * width + x, found)


@compiled
def gather(
    table: Any, shifts: Any, back: Any, values: Any, plane: Any, width: Any, classes: Any, total: Any, left: Any,
    blocks: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """Add the kernel-weighted values of all partners to ``total``; ``back`` is how far behind a pair's other end has
    its kernel in the table."""
    pairs = len(shifts)
    for y in range(first, last):
        for block in range(blocks):
            x = left + LANES * block
            i, begin = y * width + x, y * pairs * width + x
            k = 0
            while k + 4 <= classes:
                a, b, c, d = k * plane + i, (k + 1) * plane + i, (k + 2) * plane + i, (k + 3) * plane + i
                sum_a, sum_b = load(total, a), load(total, b)
                sum_c, sum_d = load(total, c), load(total, d)
                for p in range(pairs):
                    shift, kernel = shifts[p], begin + p * width
                    there = load(table, kernel)
                    sum_a = sum_a + there * load(values, a + shift)
                    sum_b = sum_b + there * load(values, b + shift)
                    sum_c = sum_c + there * load(values, c + shift)
                    sum_d = sum_d + there * load(values, d + shift)
                    here = load(table, kernel - back[p])
                    sum_a = sum_a + here * load(values, a - shift)
                    sum_b = sum_b + here * load(values, b - shift)
                    sum_c = sum_c + here * load(values, c - shift)
                    sum_d = sum_d + here * load(values, d - shift)
                store(total, a, sum_a)
                store(total, b, sum_b)
                store(total, c, sum_c)
                store(total, d, sum_d)
                k += 4
            while k < classes:
                a = k * plane + i
                sum_a = load(total, a)
                for p in range(pairs):
                    shift, kernel = shifts[p], begin + p * width
                    sum_a = sum_a + load(table, kernel) * load(values, a + shift)
                    sum_a = sum_a + load(table, kernel - back[p]) * load(values, a - shift)
                store(total, a, sum_a)
                k += 1


@compiled
def blur(
    taps: Any, values: Any, plane: Any, width: Any, classes: Any, total: Any, left: Any, blocks: Any, first: Any,
    last: Any,
) -> None:  # fmt: skip
    """Gaussian sums of a window without its middle pixel, down and then across; ``taps`` (radius + 1) from 1 on."""
    radius = len(taps) - 1
    line_blocks = (LANES * blocks + 2 * radius + LANES - 1) // LANES
    line = np.empty(LANES * line_blocks, dtype=values.dtype)
    for k in range(classes):
        for y in range(first, last):
            row = k * plane + y * width + left
            for block in range(line_blocks):
                i = row - radius + LANES * block
                found = load(values, i)
                for d in range(1, radius + 1):
                    both = load(values, i - d * width) + load(values, i + d * width)
                    found = found + both * taps[d]
                store(line, LANES * block, found)
            for block in range(blocks):
                x = radius + LANES * block
                found = load(line, x) - load(values, row + LANES * block)
                for d in range(1, radius + 1):
                    found = found + (load(line, x - d) + load(line, x + d)) * taps[d]
                store(total, row + LANES * block, found)
