"""Denormal numbers are zero inside the block, and what they were outside."""

from __future__ import annotations

import pytest
import torch

from tricklab.ops.denormals import flushes_denormals, flushing_denormals


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor cannot flush denormal numbers")
@pytest.mark.parametrize("outside", [False, True])
def test_the_block_ends_as_it_began(outside: bool) -> None:
    torch.set_flush_denormal(outside)
    try:
        with flushing_denormals():
            assert flushes_denormals()
        assert flushes_denormals() is outside
    finally:
        torch.set_flush_denormal(False)


def test_gradients_of_a_fitted_network_hold_no_denormal_number() -> None:
    weight = torch.full((4,), 1e-20, requires_grad=True)
    with flushing_denormals():
        (weight * weight.detach()).sum().backward()
        assert weight.grad is not None
        square = weight.grad * weight.grad
    assert not ((square != 0) & (square.abs() < torch.finfo(torch.float32).tiny)).any()
