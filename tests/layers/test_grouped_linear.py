"""The batched product of groups against one linear map after the other."""

import pytest
import torch

from tricklab.layers.grouped_linear import grouped_linear


def one_by_one(x: torch.Tensor, weight_GOI: torch.Tensor) -> torch.Tensor:
    return torch.stack([x[..., group, :] @ weight.T for group, weight in enumerate(weight_GOI)], dim=-2)


@pytest.mark.parametrize("part", [slice(None), slice(2, 9)])
def test_values_and_gradients_are_those_of_separate_maps(part: slice) -> None:
    """Also for a slice of a wider tensor, which is read where it lies."""
    torch.manual_seed(0)
    wide = torch.randn(2, 5, 3, 9, dtype=torch.float64)
    inputs = wide[..., part].shape[-1]
    weights = [torch.randn(3, outputs, inputs, dtype=torch.float64) for outputs in (4, 1)]
    ours, theirs = ([tensor.clone().requires_grad_() for tensor in (wide, *weights)] for _ in range(2))
    found = grouped_linear(ours[0][..., part], *ours[1:])
    expected = [one_by_one(theirs[0][..., part], weight) for weight in theirs[1:]]
    for got, wanted in zip(found, expected, strict=True):
        assert got.is_contiguous()
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)
    sum(y.sin().sum() for y in found).backward()
    sum(y.sin().sum() for y in expected).backward()
    for got, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got.grad, wanted.grad, rtol=1e-12, atol=1e-12)


def test_only_what_is_asked_for_gets_a_gradient() -> None:
    weight = torch.randn(2, 3, 4, requires_grad=True)
    (found,) = grouped_linear(torch.randn(5, 2, 4), weight)
    found.sum().backward()
    assert weight.grad is not None
    x = torch.randn(5, 2, 4, requires_grad=True)
    (found,) = grouped_linear(x, weight.detach())
    found.sum().backward()
    torch.testing.assert_close(x.grad, weight.detach().sum(1).expand(5, 2, 4))


def test_autocast_runs_the_product_in_its_dtype() -> None:
    x, weight = torch.randn(5, 2, 4, requires_grad=True), torch.randn(2, 3, 4, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = grouped_linear(x, weight)
    assert found.dtype is torch.bfloat16
    found.float().sum().backward()
    assert x.grad is not None
    assert x.grad.dtype is torch.float32
    torch.testing.assert_close(found.float(), one_by_one(x, weight), rtol=0.05, atol=0.05)


def test_the_compiled_form_gives_the_same() -> None:
    torch.manual_seed(2)
    x, weights = torch.randn(3, 6, 4, 5), (torch.randn(4, 2, 5), torch.randn(4, 7, 5))
    compiled = torch.compile(grouped_linear, backend="aot_eager", fullgraph=True)
    for ours, theirs in zip(compiled(x, *weights), grouped_linear(x, *weights), strict=True):
        torch.testing.assert_close(ours, theirs)
