"""What the scan computes, for whom, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.ops.selective_scan.cases import NAMES, inputs, largest_error, results
from tricklab.ops.selective_scan import DIRECTIONS, cpu, scan, selective_scan

PLAIN = ("numba", "torch", "reference")


@pytest.mark.parametrize("backend", PLAIN)
@pytest.mark.parametrize(
    ("direction", "order"),
    [
        ("row", [0, 1, 2, 3, 4, 5]),
        ("column", [0, 3, 1, 4, 2, 5]),
        ("row-reversed", [5, 4, 3, 2, 1, 0]),
        ("column-reversed", [5, 2, 4, 1, 3, 0]),
    ],
)
def test_without_decay_the_scan_is_a_running_sum_along_the_walk(backend: str, direction: str, order: list[int]) -> None:
    pixels = torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])
    expected = torch.empty(6)
    expected[order] = pixels[order].cumsum(0)
    u, ones = pixels.reshape(1, 6, 1), torch.ones(1, 6, 1, 1)
    y = selective_scan(
        u, torch.ones_like(u), torch.zeros(1, 1), ones, ones,
        softplus=False, directions=[direction], size=(2, 3), backend=backend,
    )  # fmt: skip
    assert torch.equal(y.flatten(), expected)


@pytest.mark.parametrize("backend", PLAIN)
def test_one_step_by_hand(backend: str) -> None:
    """L = 1: y = C · softplus(delta + bias) · B · u + D · u, whatever A is."""
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    y = selective_scan(
        3 * one, 0.5 * one, -7 * one[0], 2 * one[None], 5 * one[None], 11 * one[0, 0], 0.25 * one[0, 0], backend=backend
    )
    assert float(y) == pytest.approx(5 * 2 * 3 * float(torch.log1p(torch.exp(torch.tensor(0.75)))) + 33, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_inputs_are_computed_in_float32(dtype: torch.dtype) -> None:
    tensors = [tensor.to(dtype).double() for tensor in inputs(2, 50, 16, 1)]
    found, expected = results(tensors, (5, 10), "numba", dtype), results(tensors, (5, 10), "reference")
    assert all(tensor.dtype == dtype for tensor in found)
    assert largest_error(found, expected) <= 2 * torch.finfo(dtype).eps


@pytest.mark.parametrize("backend", PLAIN)
def test_every_gradient_has_the_dtype_of_its_input(backend: str) -> None:
    dtypes = (torch.bfloat16, torch.float32, torch.float32, torch.bfloat16, torch.float16, torch.float32, torch.float64)
    if backend != "numba":
        dtypes = (*dtypes[:6], torch.float32)
    leaves = [t.to(dtype).requires_grad_() for t, dtype in zip(inputs(1, 4, 3, 1), dtypes, strict=True)]
    y = selective_scan(*leaves, backend=backend)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert [leaf.grad.dtype for leaf in leaves if leaf.grad is not None] == list(dtypes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("level", [-1e30, -1e4, -40.0, 0.0, 40.0, 1e4])
def test_extreme_steps_neither_overflow_nor_lose_digits(level: float, dtype: torch.dtype) -> None:
    tensors = inputs(1, 12, 16, 2)
    tensors[1] = torch.full_like(tensors[1], level)
    tensors = [tensor.to(dtype).double() for tensor in tensors]
    expected, found = results(tensors, (3, 4), "reference"), results(tensors, (3, 4), "numba", dtype)
    for name, got, want in zip(NAMES, found, expected, strict=True):
        assert torch.isfinite(got).all(), name
        torch.testing.assert_close(got.double(), want, rtol=2e-4, atol=1e-5 * float(want.abs().max()) + 1e-25)


def test_small_steps_keep_their_relative_accuracy() -> None:
    """softplus(-20) is 2e-9: 1 + 2e-9 would be 1 in float32."""
    u, ones = torch.ones(1, 1, 16), torch.ones(1, 1, 1, 1)
    y = selective_scan(u, torch.linspace(-80, -5, 16).reshape(1, 1, 16), torch.zeros(16, 1), ones, ones)
    expected = torch.log1p(torch.exp(torch.linspace(-80, -5, 16, dtype=torch.float32).double()))
    torch.testing.assert_close(y.flatten().double(), expected, rtol=3e-7, atol=0)


@pytest.mark.parametrize("backend", PLAIN)
def test_not_a_number_stays(backend: str) -> None:
    tensors = [tensor.float() for tensor in inputs(1, 6, 16, 1, groups=1)]
    tensors[1][0, 2, 3] = float("nan")
    y = selective_scan(*tensors, backend=backend)
    assert torch.isnan(y[0, 2:, 3]).all()
    assert not torch.isnan(y[0, :2]).any()
    assert not torch.isnan(y[0, :, 4:]).any()


@pytest.mark.parametrize("backend", PLAIN)
@pytest.mark.parametrize(("batch", "length"), [(0, 6), (2, 0)])
def test_empty_input_gives_empty_output_and_zero_gradients(backend: str, batch: int, length: int) -> None:
    leaves = [tensor.float().requires_grad_() for tensor in inputs(batch, length, 3, 2)]
    y = selective_scan(*leaves, backend=backend)
    assert y.shape == (batch, length, 12)
    y.sum().backward()
    assert not any(leaf.grad.abs().sum() for leaf in leaves if leaf.grad is not None)


def test_threads_and_repetition_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = inputs(3, 50, 20, 1)
    before, first = torch.get_num_threads(), results(tensors, (5, 10), "numba", torch.float32)
    monkeypatch.setattr(cpu, "THREAD_NUMBERS", 1)
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            again = results(tensors, (5, 10), "numba", torch.float32)
            assert all(torch.equal(x, y) for x, y in zip(first, again, strict=True))
    finally:
        torch.set_num_threads(before)


def test_strided_views_give_the_same_as_copies() -> None:
    tensors = [tensor.float() for tensor in inputs(2, 12, 3, 2)]
    strided = [torch.stack([tensor, tensor], -1)[..., 0] for tensor in tensors]
    assert not strided[0].is_contiguous()
    assert torch.equal(selective_scan(*strided), selective_scan(*tensors))
    assert torch.equal(selective_scan(tensors[0].mT.contiguous().mT, *tensors[1:]), selective_scan(*tensors))


WRONG = {
    "u": (torch.zeros(2, 6), "u must be (batch, L, channels)"),
    "delta": (torch.zeros(2, 5, 12), "delta must be (2, 6, 12) beside u (2, 6, 12) and B (2, 6, 4, 1), got (2, 5, 12)"),
    "A": (torch.zeros(12, 2), "A must be (12, 1)"),
    "B": (torch.zeros(2, 6, 5, 1), "u (2, 6, 12) has 12 channels, not a multiple of the 5 groups of B (2, 6, 5, 1)"),
    "C": (torch.zeros(2, 6, 4, 2), "C must be (2, 6, 4, 1)"),
    "D": (torch.zeros(3), "D must be (12,)"),
    "delta_bias": (torch.zeros(12, dtype=torch.int64), "delta_bias must be a float tensor, got torch.int64"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tensors_are_named_with_their_shapes(name: str) -> None:
    tensors: dict[str, Any] = dict(zip(NAMES[1:], inputs(2, 6, 3, 1), strict=True))
    tensors[name], message = WRONG[name]
    with pytest.raises(ValueError) as caught:
        selective_scan(**tensors)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"directions": ["row"]}, "for each of the 4 groups"),
        ({"directions": ["row", "row", "row", "diagonal"]}, "directions must name one of row, column"),
        ({"directions": DIRECTIONS}, "size=(height, width) is needed"),
        ({"directions": DIRECTIONS, "size": (2, 4)}, "size (2, 4) has 8 pixels, u (2, 6, 12) has 6"),
        ({"backend": "cuda"}, "backend must be one of auto, numba"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        selective_scan(*inputs(2, 6, 3, 1), **options)
    assert message in str(caught.value)


def test_without_numba_the_scan_says_so_once_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = inputs(1, 6, 3, 1)
    expected = selective_scan(*tensors, backend="reference")
    monkeypatch.setitem(__import__("sys").modules, "numba", None)
    monkeypatch.setattr(scan, "_FOUND", {})
    with pytest.warns(UserWarning, match="slower without numba"):
        first = selective_scan(*tensors)
    torch.testing.assert_close(first, expected)
    assert torch.equal(selective_scan(*tensors), first)  # a second warning would be an error


def test_kernels_compile_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    from tricklab.ops.compiled import compiled

    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    add = compiled(lambda x, y: x + y)
    assert add(2, 3) == 5
    assert not add.stats.cache_path
