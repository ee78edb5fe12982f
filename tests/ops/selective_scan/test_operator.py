"""The scan as an operator of torch: saved states, compilation."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn

from tests.ops.selective_scan.cases import inputs
from tricklab.ops.selective_scan import DIRECTIONS, selective_scan


class Walks(nn.Module):
    """A layer with the scan in it."""

    def __init__(self) -> None:
        super().__init__()
        _, _, A, _, _, D, bias = (nn.Parameter(tensor.float()) for tensor in inputs(1, 1, 8, 1))
        self.A, self.D, self.bias = A, D, bias
        self.steps = nn.Linear(32, 32)

    def forward(self, x: Tensor) -> Tensor:
        weights = x[..., :4, None]
        y = selective_scan(
            x * 2, self.steps(x), self.A, weights, weights + 1, self.D, self.bias, directions=DIRECTIONS, size=(3, 5)
        )
        return y.relu()


@pytest.mark.parametrize("backend", ["eager", pytest.param("aot_eager", marks=pytest.mark.slow)])
def test_a_model_with_the_scan_compiles_without_a_graph_break(backend: str) -> None:
    torch.manual_seed(0)
    model, x = Walks(), torch.randn(2, 15, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, while it traces
        compiled = torch.compile(model, backend=backend, fullgraph=True)
        for _ in range(2):
            results = []
            for way in (model, compiled):
                model.zero_grad()
                y = way(x)
                y.sum().backward()
                results.append([y.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
            assert len(results[0]) == 6
            assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
        with torch.no_grad():
            assert torch.equal(compiled(x), model(x))


@pytest.mark.slow
def test_operator_is_registered_consistently() -> None:
    u, delta, A, B, C, *_ = (tensor.float().requires_grad_() for tensor in inputs(1, 6, 2, 1, groups=2))
    arguments = (u, delta, A, B, C, None, None, [0, 3], 2, 3, True, "numba", True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = torch.library.opcheck(torch.ops.tricklab.selective_scan.default, arguments)
    assert set(report.values()) == {"SUCCESS"}


def test_states_are_kept_only_for_a_backward_pass() -> None:
    tensors = [tensor.float() for tensor in inputs(1, 6, 2, 1)]
    scan = torch.ops.tricklab.selective_scan.default
    settings = ([0, 0, 0, 0], 2, 3, True, "numba")
    assert scan(*tensors, *settings, False)[1].numel() == 0
    assert scan(*tensors, *settings, True)[1].shape == (1, 4, 1, 1, 2)
    for tensor in tensors:
        tensor.requires_grad_()
    with torch.no_grad():
        assert selective_scan(*tensors).grad_fn is None


def test_second_derivatives_are_refused_by_the_kernels_and_given_by_torch() -> None:
    leaves = [tensor.requires_grad_() for tensor in inputs(1, 4, 2, 1, groups=1)]
    first = torch.autograd.grad(selective_scan(*leaves, backend="torch").sum(), leaves[0], create_graph=True)[0]
    assert torch.autograd.grad(first.square().sum(), leaves[1])[0].abs().sum() > 0
    fused = torch.autograd.grad(selective_scan(*leaves, backend="numba").sum(), leaves[0], create_graph=True)[0]
    with pytest.raises(RuntimeError, match="no second derivatives: use backend='torch'"):
        torch.autograd.grad(fused.square().sum(), leaves[1])
