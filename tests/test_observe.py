from __future__ import annotations

import pytest
import torch

from tricklab.observe import listening, observe


def test_counts_sums_and_extremes_over_several_calls() -> None:
    with listening() as listener:
        observe("kept", torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        observe("kept", torch.tensor(-6.0))
        observe("share", 0.25)
        observe("empty", torch.zeros(0))
    found = listener.drain()
    assert found["kept"] == {"count": 5.0, "mean": pytest.approx(0.8), "min": -6.0, "max": 4.0}
    assert found["share"]["mean"] == 0.25
    assert "empty" not in found
    assert listener.drain() == {}


def test_nothing_is_kept_without_a_listener() -> None:
    with listening() as listener:
        pass
    observe("kept", 1.0)
    assert listener.drain() == {}


def test_gradients_do_not_leak() -> None:
    value = torch.ones(3, requires_grad=True)
    with listening() as listener:
        observe("value", value * 2)
    assert listener.drain()["value"]["mean"] == 2.0
    assert value.grad is None
