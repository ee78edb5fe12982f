"""Averages that need new running statistics, whatever precision the training has and whatever was drawn before."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.engine.conftest import MakeRun
from tricklab.engine.averagings import Averagings, averaging_key
from tricklab.engine.clock import RunClock
from tricklab.engine.prepared import prepare
from tricklab.engine.statistics_batches import forward_on_device, statistics_batches

SWA = {"type": "Swa", "start": 0.0, "every": 1.0}


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float64])
def test_statistics_are_estimated_in_float32_and_the_model_is_left_alone(precision: torch.dtype) -> None:
    torch.manual_seed(0)
    batches = [torch.randn(8, 3) + 2 for _ in range(3)]
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    averagings = Averagings([SWA], model, RunClock(8, 8, 1, 2), lambda: batches, lambda host, batch: host(batch))
    model.to(precision)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    averagings.update(model)

    found = averagings.weights(averaging_key(SWA), model)

    assert found["0.running_mean"].dtype == torch.float32
    assert torch.allclose(found["0.running_mean"], torch.stack([b.mean(0) for b in batches]).mean(0), atol=1e-6)
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_dropout_on_these_batches_does_not_depend_on_what_was_drawn_before(make_run: MakeRun) -> None:
    prepared = prepare(make_run(), "cpu")
    drawn = []
    for before in (0, 5):
        torch.rand(before)
        statistics_batches(prepared)
        drawn.append(torch.rand(4))
    assert torch.equal(*drawn)


def test_a_batch_goes_where_the_model_is() -> None:
    class Task:
        def forward(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            out: torch.Tensor = model(batch["image"])
            return out

    out = forward_on_device(Task())(nn.Linear(3, 2, device="meta"), {"image": torch.zeros(4, 3)})
    assert isinstance(out, torch.Tensor)
    assert out.device.type == "meta"
