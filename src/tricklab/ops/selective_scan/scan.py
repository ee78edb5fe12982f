"""``selective_scan``: the checks, the choice of a backend."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from tricklab.ops.selective_scan.exportable import exportable_scan
from tricklab.ops.selective_scan.operator import fused_scan
from tricklab.ops.selective_scan.parallel import parallel_scan
from tricklab.ops.selective_scan.reference import reference_scan

DIRECTIONS = ("row", "column", "row-reversed", "column-reversed")
BACKENDS = ("auto", "numba", "triton", "torch", "reference")


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    delta_bias: Tensor | None = None,
    *,
    directions: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
    softplus: bool = True,
    backend: str = "auto",
) -> Tensor:
    """A linear recurrence along the pixels whose gate depends on the input; each group walks in its own direction.

    With dt = softplus(delta + delta_bias), for every channel and order n, along the walk and from h = 0::

        h ← exp(dt · A) · h + dt · B · u          y = Σₙ C · h + D · u

    All tensors stay in raster order, also where a group walks down the columns or backwards: the walk is index
    arithmetic inside the kernels. States and sums are float32 (float64 for float64 inputs on the CPU), whatever the
    inputs are; every gradient has the dtype of its input. Results do not depend on the number of threads, and two runs
    give the same bits.

    Args:
        u: input, float (batch, L, G·Dg) for G groups of Dg channels each.
        delta: step sizes before bias and softplus, like ``u``.
        A: decay rates, (G·Dg, N), as a rule negative; N is the order (``d_state``).
        B: input weights, (batch, L, G, N), shared by the channels of a group.
        C: output weights, like ``B``.
        D: weights of the direct path, (G·Dg,).
        delta_bias: added to ``delta``, (G·Dg,).
        directions: of each group, G of ``"row"`` (raster order), ``"column"`` (down the first column, then the second),
            ``"row-reversed"``, ``"column-reversed"``; None is ``"row"`` for all.
        size: (height, width) of the image with height · width = L; needed where a group walks along columns.
        softplus: False takes delta + delta_bias as dt.
        backend: ``"numba"`` (CPU), ``"triton"`` (GPU), ``"torch"`` (anywhere; a loop over short walks, else a parallel
            scan, which keeps every state), ``"reference"`` (the plain loop), or ``"auto"``: the fused kernel of the
            tensors' device, ``"torch"`` where there is none; ``torch.export`` gets a short graph of torch's own
            operators. Only ``"torch"`` and ``"reference"`` have second
            derivatives.

    Returns:
        y, (batch, L, G·Dg), with the dtype of ``u``.

    Raises:
        ValueError: for shapes, dtypes, devices or names that do not fit.

    Source: Gu & Dao 2023, *Mamba*, algorithm 2 with equation 4 simplified for B (``selective_scan_ref`` of
    ``mamba_ssm``); the four walks are those of VMamba's cross-scan and GroupMamba's groups.

    >>> u = torch.ones(1, 3, 1)
    >>> one = torch.ones(1, 3, 1, 1)
    >>> selective_scan(u, u, -torch.ones(1, 1), one, one, softplus=False, directions=["row-reversed"]).flatten()
    tensor([1.5032, 1.3679, 1.0000])
    """
    groups = _check_shapes(u, delta, A, B, C, D, delta_bias)
    walks = ("row",) * groups if directions is None else tuple(directions)
    if len(walks) != groups or not set(walks) <= set(DIRECTIONS):
        raise ValueError(
            f"directions must name one of {', '.join(DIRECTIONS)} for each of the {groups} groups, got {walks}"
        )
    length = u.shape[1]
    if size is not None and size[0] * size[1] != length:
        raise ValueError(f"size {tuple(size)} has {size[0] * size[1]} pixels, u {tuple(u.shape)} has {length}")
    if size is None and any("column" in walk for walk in walks):
        raise ValueError(f"directions {walks} walk along columns: size=(height, width) is needed")
    height, width = (1, length) if size is None else size
    chosen = _backend(backend, u)
    codes = [DIRECTIONS.index(walk) for walk in walks]
    if chosen in ("numba", "triton"):
        tensors = (u, delta, A, B, C, D, delta_bias)
        keep = torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)
        return fused_scan(tensors, (codes, height, width, softplus, chosen), keep)
    plain = {"torch": parallel_scan, "export": exportable_scan, "reference": reference_scan}[chosen]
    return plain(u, delta, A, B, C, D, delta_bias, walks, (height, width), softplus)


def _check_shapes(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, delta_bias: Tensor | None
) -> int:
    """The number of groups."""
    if u.ndim != 3 or B.ndim != 4:
        raise ValueError(f"u must be (batch, L, channels) and B (batch, L, G, N), got {_shape(u)} and {_shape(B)}")
    batch, length, channels = u.shape
    groups, orders = B.shape[2:]
    if groups < 1 or orders < 1 or channels % groups:
        raise ValueError(
            f"u {_shape(u)} has {channels} channels, not a multiple of the {groups} groups of B {_shape(B)}"
        )
    wanted = {
        "delta": (delta, (batch, length, channels)),
        "A": (A, (channels, orders)),
        "B": (B, (batch, length, groups, orders)),
        "C": (C, (batch, length, groups, orders)),
        "D": (D, (channels,)),
        "delta_bias": (delta_bias, (channels,)),
    }
    for name, (tensor, shape) in wanted.items():
        if tensor is None:
            continue
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} must be {shape} beside u {_shape(u)} and B {_shape(B)}, got {_shape(tensor)}")
        if tensor.device != u.device:
            raise ValueError(f"{name} is on {tensor.device}, u on {u.device}")
        if not tensor.is_floating_point():
            raise ValueError(f"{name} must be a float tensor, got {tensor.dtype}")
    if not u.is_floating_point():
        raise ValueError(f"u must be a float tensor, got {u.dtype}")
    return groups


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _backend(name: str, u: Tensor) -> str:
    """The backend to use for tensors like ``u``."""
    if name not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {name!r}")
    if name == "numba" and u.device.type != "cpu":
        raise ValueError(f"backend 'numba' runs on the CPU, u is on {u.device}")
    if name != "auto":
        return name
    if torch.compiler.is_exporting():
        return "export"  # an exported graph must run where tricklab and its compilers are not
    if u.device.type == "cpu":
        return "numba" if _usable("numba") else "torch"
    if u.device.type == "cuda" and u.dtype != torch.float64:
        return "triton" if _usable("triton") else "torch"
    return "torch"


_FOUND: dict[str, bool] = {}


@torch.compiler.assume_constant_result
def _usable(package: str) -> bool:
    """Whether a compiler can be imported; says once that it cannot."""
    if package not in _FOUND:
        try:
            importlib.import_module(package)
            _FOUND[package] = True
        except ImportError as error:
            _FOUND[package] = False
            warnings.warn(
                f"selective_scan runs several times slower without {package} ({error}): pip install {package}",
                stacklevel=2,
            )
    return _FOUND[package]
