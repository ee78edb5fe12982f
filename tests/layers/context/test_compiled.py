"""Context blocks under torch.compile, as one graph, and torch.export, for batches of any size."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.layers.context.test_contract import awake, every

pytestmark = pytest.mark.slow


@every
@pytest.mark.parametrize("training", [True, False])
def test_a_compiled_block_is_the_block(name: str, training: bool) -> None:
    torch._dynamo.reset()
    block, x = awake(name).train(), torch.randn(2, 16, 7, 6)
    block(x)  # GCU looks at its first batch
    block.train(training)
    other = copy.deepcopy(block)
    compiled = torch.compile(block, backend="eager", fullgraph=True)
    results = []
    for function in (compiled, other):
        inputs = x.clone().requires_grad_()
        y = function(inputs)
        y.square().sum().backward()
        results.append((y, inputs.grad))
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(block.state_dict(), other.state_dict())


@every
def test_an_exported_block_takes_batches_of_any_size(name: str) -> None:
    block = awake(name).eval()
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(block, (torch.randn(2, 16, 7, 6),), dynamic_shapes=({0: batch},), strict=False)
    for count in (1, 3):
        x = torch.randn(count, 16, 7, 6)
        torch.testing.assert_close(program.module()(x), block(x), rtol=1e-5, atol=1e-5)
