"""Sixteen floats in vector registers, as a type of numba: the compiler need not find out by itself what is parallel.

Products and sums may be fused (rounded once instead of twice); nothing else is reordered. ``LANES`` is the width on
every processor: LLVM splits it into the registers there are. Numba does not see that ``cpu_kernels`` depends on this
file: after a change here its cached machine code must go.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model, type_callable

LANES = 16
_FLAGS = ("contract",)
_INT32 = ir.IntType(32)


class Lanes(types.Type):
    """The numba type of sixteen float32 or float64."""

    def __init__(self, scalar: types.Float) -> None:
        self.scalar = scalar
        super().__init__(name=f"Lanes({scalar})")

    def can_convert_from(self, typing_context: Any, other: Any) -> Any:
        """A scalar stands for sixteen copies."""
        return typing_context.can_convert(other, self.scalar) if isinstance(other, types.Number) else None


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Any) -> None:
        super().__init__(manager, lanes, ir.VectorType(manager.lookup(lanes.scalar).get_value_type(), LANES))


@lower_cast(types.Number, Lanes)
def _spread(context: Any, builder: Any, scalar: Any, lanes: Lanes, value: Any) -> Any:
    value = context.cast(builder, value, scalar, lanes.scalar)
    vector = context.get_value_type(lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _INT32(0))
    zeros = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def _declare(operation: Any, instruction: str) -> None:
    @type_callable(operation)
    def typing(context: Any) -> Any:
        def of(x: Any, y: Any) -> Any:
            for lanes in (x, y):
                if isinstance(lanes, Lanes):
                    return lanes
            return None

        return of

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, y = (
            context.cast(builder, value, kind, signature.return_type)
            for value, kind in zip(arguments, signature.args, strict=True)
        )
        return getattr(builder, instruction)(x, y, flags=_FLAGS)

    for pair in ((Lanes, Lanes), (Lanes, types.Float), (types.Float, Lanes)):
        lower_builtin(operation, *pair)(lower)


for _operation, _instruction in {
    operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv",
}.items():  # fmt: skip
    _declare(_operation, _instruction)


def _address(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, pointee: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), pointee.as_pointer())


def _mask(builder: Any, count: Any) -> Any:
    """The first ``count`` lanes."""
    vector = ir.VectorType(_INT32, LANES)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), builder.trunc(count, _INT32), _INT32(0))
    all_counts = builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), ir.Constant(vector, [0] * LANES))
    return builder.icmp_signed("<", ir.Constant(vector, list(range(LANES))), all_counts)


def _bytes(vector: Any) -> int:
    return 4 if isinstance(vector.element, ir.FloatType) else 8


def _call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Call an intrinsic of LLVM by its full name."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(builder.module.globals.get(name) or ir.Function(builder.module, kind, name), arguments)


def _suffix(vector: Any) -> str:
    return f"v{LANES}f{8 * _bytes(vector)}"


@intrinsic
def load(typing_context: Any, array: Any, offset: Any, count: Any) -> Any:
    """``array[offset : offset + count]`` of a flat contiguous array, zeros behind it; ``count`` is at most LANES."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = context.get_value_type(signature.return_type)
        address = _address(context, builder, array, arguments[0], arguments[1], vector)
        whole = builder.icmp_signed(">=", arguments[2], arguments[2].type(LANES))
        with builder.if_else(whole) as (then, otherwise):
            with then:
                full = builder.load(address, align=_bytes(vector))
                full_block = builder.block
            with otherwise:
                zeros, align = ir.Constant(vector, [0.0] * LANES), _INT32(_bytes(vector))
                operands = [address, align, _mask(builder, arguments[2]), zeros]
                part = _call(builder, f"llvm.masked.load.{_suffix(vector)}.p0", vector, operands)
                part_block = builder.block
        found = builder.phi(vector)
        found.add_incoming(full, full_block)
        found.add_incoming(part, part_block)
        return found

    return Lanes(array.dtype)(array, types.intp, types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, offset: Any, lanes: Any, count: Any) -> Any:
    """Write the first ``count`` lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = arguments[2].type
        address = _address(context, builder, array, arguments[0], arguments[1], vector)
        whole = builder.icmp_signed(">=", arguments[3], arguments[3].type(LANES))
        with builder.if_else(whole) as (then, otherwise):
            with then:
                builder.store(arguments[2], address, align=_bytes(vector))
            with otherwise:
                operands = [arguments[2], address, _INT32(_bytes(vector)), _mask(builder, arguments[3])]
                _call(builder, f"llvm.masked.store.{_suffix(vector)}.p0", ir.VoidType(), operands)
        return context.get_dummy_value()

    return types.void(array, types.intp, Lanes(array.dtype), types.intp), generate


@intrinsic
def prefetch(typing_context: Any, array: Any, offset: Any, to_write: Any) -> Any:
    """Ask for the cache line of ``array[offset]``, to read or (a literal True) to write it; any offset is harmless."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, array, arguments[0], arguments[1], ir.IntType(8))
        _call(
            builder,
            "llvm.prefetch.p0",
            ir.VoidType(),
            [address, _INT32(int(to_write.literal_value)), _INT32(3), _INT32(1)],
        )
        return context.get_dummy_value()

    if not isinstance(to_write, types.Literal):
        return None
    return types.void(array, types.intp, to_write), generate


@intrinsic
def larger(typing_context: Any, x: Any, y: Any) -> Any:
    """The larger of each lane and the scalar ``y``; NaN in ``x`` stays NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *arguments), arguments[1], arguments[0])

    return x(x, x), generate


@intrinsic
def smaller(typing_context: Any, x: Any, y: Any) -> Any:
    """The smaller of each lane and the scalar ``y``; NaN in ``x`` stays NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *arguments), arguments[1], arguments[0])

    return x(x, x), generate


@intrinsic
def where_positive(typing_context: Any, condition: Any, x: Any, y: Any) -> Any:
    """``x`` where ``condition`` is above 0, else ``y``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = ir.Constant(arguments[0].type, [0.0] * LANES)
        return builder.select(builder.fcmp_ordered(">", arguments[0], zeros), arguments[1], arguments[2])

    return condition(condition, condition, condition), generate


@intrinsic
def half_power_of_two(typing_context: Any, rounded: Any) -> Any:
    """2 ** (n - 1) for float32 lanes that hold n + 1.5 · 2²³, n from -126 (which gives 0) to 128."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(_INT32, LANES)
        bits = builder.bitcast(arguments[0], vector)
        shifted = builder.shl(bits, ir.Constant(vector, [23] * LANES))
        return builder.bitcast(builder.add(shifted, ir.Constant(vector, [126 << 23] * LANES)), arguments[0].type)

    return rounded(rounded), generate


def _each(name: str) -> Any:
    def typed(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            vector = arguments[0].type
            return _call(builder, f"llvm.{name}.{_suffix(vector)}", vector, list(arguments))

        return x(x), generate

    return intrinsic(typed)


library_exp, library_log = _each("exp"), _each("log")


@intrinsic
def negative_magnitude(typing_context: Any, x: Any) -> Any:
    """-|x|: sets the sign bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (lanes,) = arguments
        bits = 8 * _bytes(lanes.type)
        vector = ir.VectorType(ir.IntType(bits), LANES)
        signs = ir.Constant(vector, [1 << (bits - 1)] * LANES)
        return builder.bitcast(builder.or_(builder.bitcast(lanes, vector), signs), lanes.type)

    return x(x), generate


@intrinsic
def total(typing_context: Any, lanes: Any) -> Any:
    """The sum of all lanes, halves first."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found, width = arguments[0], LANES
        while width > 1:
            width //= 2
            undefined = ir.Constant(found.type, ir.Undefined)
            kind = ir.VectorType(_INT32, width)
            low = builder.shuffle_vector(found, undefined, ir.Constant(kind, list(range(width))))
            high = builder.shuffle_vector(found, undefined, ir.Constant(kind, list(range(width, 2 * width))))
            found = builder.fadd(low, high)
        return builder.extract_element(found, _INT32(0))

    return lanes.scalar(lanes), generate
