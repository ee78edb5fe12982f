"""Running statistics that are re-estimated, and those of frozen parts, which are not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tricklab.optim import reestimate_statistics


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.BatchNorm1d(4)).double()


@pytest.mark.parametrize("training", [True, False])
def test_frozen_normalisations_keep_theirs_and_work_as_they_did(training: bool) -> None:
    model = network().train(training)
    model[1].eval()
    batches = [torch.randn(6, 3, dtype=torch.float64) for _ in range(3)]
    before = {name: tensor.clone() for name, tensor in model[1].state_dict().items()}
    assert reestimate_statistics(model, batches, lambda network, batch: network(batch)) == 3
    assert all(torch.equal(before[name], tensor) for name, tensor in model[1].state_dict().items()) is training
    # the later one sees what the frozen one gives in evaluation mode
    peer = network()
    if training:
        peer[1].eval()
    with torch.no_grad():
        means = torch.stack([peer[2](peer[1](peer[0](batch))).mean(0) for batch in batches]).mean(0)
    torch.testing.assert_close(model[3].running_mean, means, rtol=1e-10, atol=1e-12)


def test_modes_are_restored() -> None:
    model = network()
    model[1].eval()
    reestimate_statistics(model, [torch.randn(4, 3, dtype=torch.float64)], lambda network, batch: network(batch))
    assert [module.training for module in model] == [True, False, True, True]
