"""The fused kernels as operators of torch, so that ``torch.compile`` and autograd see one node each.

``tricklab::selective_scan`` gives y and the states before each tile, which backward needs (none unless ``keep``); its
backward gives the gradients of all seven tensors, empty ones for those that are absent. A code is 1 for columns plus 2
for reversed. ``selective_scan`` checks the arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType, NoneType
from typing import Any

import torch
from torch import Tensor

_TENSORS = "Tensor u, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor? D, Tensor? delta_bias"
_SETTINGS = "int[] codes, SymInt height, SymInt width, bool softplus, str backend"
_LIBRARY = torch.library.Library("tricklab", "FRAGMENT")  # not custom_op: that imports torch._dynamo at the first call
for _schema in (
    f"selective_scan({_TENSORS}, {_SETTINGS}, bool keep) -> (Tensor, Tensor)",
    f"selective_scan_backward(Tensor dy, {_TENSORS}, Tensor states, {_SETTINGS}) -> ({', '.join(['Tensor'] * 7)})",
):
    _LIBRARY.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))


def _kernels(backend: str) -> ModuleType:
    """The compilers are imported when first needed."""
    if backend == "numba":
        from tricklab.ops.selective_scan import cpu

        return cpu
    from tricklab.ops.selective_scan import gpu

    return gpu


def _forward(*arguments: Any) -> tuple[Tensor, Tensor]:
    *inputs, backend, keep = arguments
    return _kernels(backend).forward(*inputs, keep)


def _backward(*arguments: Any) -> tuple[Tensor, ...]:
    *inputs, backend = arguments
    return _kernels(backend).backward(*inputs)


_LIBRARY.impl("selective_scan", _forward, "CompositeExplicitAutograd")
_LIBRARY.impl("selective_scan_backward", _backward, "CompositeExplicitAutograd")


def _empty(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _forward_shapes(*arguments: Any) -> tuple[Tensor, Tensor]:
    u, _, A, B = arguments[:4]
    backend, keep = arguments[-2:]
    return _empty(u), _kernels(backend).empty_states(u, A, B, keep)


def _backward_shapes(*arguments: Any) -> tuple[Tensor, ...]:
    tensors = arguments[1:8]
    return tuple(tensors[2].new_empty(0) if tensor is None else _empty(tensor) for tensor in tensors)


torch.library.register_fake("tricklab::selective_scan", _forward_shapes, lib=_LIBRARY)
torch.library.register_fake("tricklab::selective_scan_backward", _backward_shapes, lib=_LIBRARY)


def _keep_inputs(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*inputs[:7], output[1])
    ctx.settings = inputs[7:12]


def _straight(*tensors: Any) -> bool:
    """Whether these are tensors with numbers in them and nothing watches what is done to them."""
    plain = all(type(tensor) in (Tensor, torch.nn.Parameter, NoneType) for tensor in tensors)
    return plain and not torch.compiler.is_compiling()


def _gradients(ctx: Any, dy: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
    if dy is None:
        return (None,) * 13
    *inputs, states = ctx.saved_tensors
    way = (
        _backward
        if not torch.is_grad_enabled() and _straight(dy, *inputs)
        else torch.ops.tricklab.selective_scan_backward.default
    )
    found = way(dy, *inputs, states, *ctx.settings)
    present = (None if tensor is None else gradient for gradient, tensor in zip(found, inputs, strict=True))
    return (*present, *(None,) * 6)


def _no_second_gradients(ctx: Any, *_: Tensor | None) -> Any:
    raise RuntimeError("selective_scan's kernels have no second derivatives: use backend='torch'")


torch.library.register_autograd("tricklab::selective_scan", _gradients, setup_context=_keep_inputs, lib=_LIBRARY)
torch.library.register_autograd("tricklab::selective_scan_backward", _no_second_gradients, lib=_LIBRARY)


class _Eager(torch.autograd.Function):
    """The same without torch's dispatcher, which takes longer than a short scan."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        found = _forward(*arguments)
        _keep_inputs(ctx, arguments, found)
        ctx.mark_non_differentiable(found[1])
        return found

    backward = staticmethod(_gradients)


def fused_scan(tensors: Sequence[Tensor | None], settings: Sequence[Any], keep: bool) -> Tensor:
    """y from the seven tensors and codes, height, width, softplus, backend."""
    way = _Eager.apply if _straight(*tensors) else torch.ops.tricklab.selective_scan.default
    return way(*tensors, *settings, keep)[0]
