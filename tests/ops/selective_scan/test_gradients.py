"""y and the gradients of all seven inputs against the plain definition in float64."""

from __future__ import annotations

import pytest
import torch

from tests.ops.selective_scan.cases import inputs, largest_error, results
from tricklab.ops.selective_scan import parallel, selective_scan

SIZES = {1: (1, 1), 2: (2, 1), 3: (1, 3), 49: (7, 7), 50: (5, 10), 196: (7, 28), 784: (14, 56), 3136: (28, 112)}
LENGTHS = [pytest.param(n, marks=pytest.mark.slow) if n > 196 else n for n in SIZES]


@pytest.mark.parametrize("channels", [16, 32, 87, 112])
@pytest.mark.parametrize("length", LENGTHS)
def test_all_gradients_in_four_directions(length: int, channels: int) -> None:
    for orders in (1, 4):
        tensors = inputs(1 if length > 784 else 2, length, channels, orders)
        expected = results(tensors, SIZES[length], "reference")
        # sums over thousands of pixels round by themselves: the plain definition in float32 is the yardstick there
        plain = largest_error(results(tensors, SIZES[length], "reference", torch.float32), expected)
        tolerances = {torch.float64: 1e-12, torch.float32: max(5e-6, 3 * plain)}
        for backend in ("numba", "torch"):
            for dtype, tolerance in tolerances.items():
                found = results(tensors, SIZES[length], backend, dtype)
                assert largest_error(found, expected) <= tolerance, (backend, dtype, orders)


def test_backward_is_the_derivative_of_forward() -> None:
    """Finite differences: needs no other implementation."""
    leaves = [tensor.requires_grad_() for tensor in inputs(1, 6, 2, 2, groups=2)]

    def scan(*tensors: torch.Tensor) -> torch.Tensor:
        return selective_scan(*tensors, directions=["column", "row-reversed"], size=(2, 3), backend="numba")

    assert torch.autograd.gradcheck(scan, leaves)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("missing", [(5,), (6,), (5, 6)])
def test_optional_inputs(backend: str, missing: tuple[int, ...]) -> None:
    tensors = [None if k in missing else tensor for k, tensor in enumerate(inputs(2, 6, 5, 1))]
    expected = results(tensors, (2, 3), "reference")
    assert len(expected) == 8 - len(missing)
    assert largest_error(results(tensors, (2, 3), backend), expected) <= 1e-12


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_without_softplus(backend: str) -> None:
    tensors = inputs(2, 12, 20, 2)
    tensors[1] = tensors[1].abs()
    tensors[6] = tensors[6].abs()
    expected = results(tensors, (3, 4), "reference", softplus=False)
    assert largest_error(results(tensors, (3, 4), backend, softplus=False), expected) <= 1e-12
    assert largest_error(results(tensors, (3, 4), backend, torch.float32, softplus=False), expected) <= 5e-6


def test_parallel_recurrence_is_the_loop() -> None:
    for length in (1, 2, 3, 4, 5, 7, 8, 50, 129):
        gate, drive = torch.rand(2, length, 3, dtype=torch.float64), torch.randn(2, length, 3, dtype=torch.float64)
        loop = parallel.recurrence_loop(gate, drive)
        torch.testing.assert_close(parallel.recurrence_parallel(gate, drive), loop, rtol=1e-12, atol=1e-14)


def test_many_orders_and_few_channels() -> None:
    tensors = inputs(1, 30, 3, 16, groups=2)
    directions = ("column", "column-reversed")
    expected = results(tensors, (5, 6), "reference", directions=directions)
    assert largest_error(results(tensors, (5, 6), "numba", directions=directions), expected) <= 1e-12
