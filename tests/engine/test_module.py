from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from timm.utils import adaptive_clip_grad
from torch import nn

from tricklab.engine.clock import RunClock
from tricklab.engine.module import Training, apply_memory_format
from tricklab.observe import listening
from tricklab.optim.schedule_list import Schedules

CLOCK = RunClock(8, 4, 1, 4)


def module(**options: object) -> Training:
    made = Training(None, nn.Linear(3, 2), {"type": "SGD", "lr": 0.1}, Schedules([], CLOCK), **options)  # type: ignore[arg-type]
    made.trainer = SimpleNamespace(global_step=0, fit_loop=None)  # type: ignore[assignment]
    return made


def with_gradient(made: Training) -> torch.optim.Optimizer:
    torch.manual_seed(0)
    made.model(torch.randn(5, 3)).square().sum().backward()
    return made.configure_optimizers()


@pytest.mark.parametrize(("limit", "cut"), [(0.5, 1.0), (1e6, 0.0)])
def test_clipping_by_norm_equals_torchs(limit: float, cut: float) -> None:
    made = module(clip_norm=limit)
    optimizer = with_gradient(made)
    peer = copy.deepcopy([p.grad for p in made.model.parameters()])
    twins = [nn.Parameter(torch.zeros_like(g)) for g in peer]
    for twin, gradient in zip(twins, peer, strict=True):
        twin.grad = gradient
    norm = nn.utils.clip_grad_norm_(twins, limit)
    made.configure_gradient_clipping(optimizer)
    assert float(made.grad_norm) == pytest.approx(float(norm))
    assert float(made.clipped) == cut
    for own, twin in zip(made.model.parameters(), twins, strict=True):
        assert torch.allclose(own.grad, twin.grad)


def test_clipping_by_value() -> None:
    made = module(clip_value=0.5)
    optimizer = with_gradient(made)
    made.configure_gradient_clipping(optimizer)
    assert max(float(p.grad.abs().max()) for p in made.model.parameters()) == 0.5
    assert float(made.clipped) == 1.0


class Small(nn.Module):
    """A layer and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))  # type: ignore[no-any-return]


@pytest.mark.parametrize("head", [False, True])
def test_adaptive_clipping_equals_timms_and_leaves_the_classifier_out(head: bool) -> None:
    torch.manual_seed(0)
    made = Training(
        None, Small(), {"type": "SGD", "lr": 0.1}, Schedules([], CLOCK), clip_adaptive=0.01, clip_adaptive_head=head
    )
    made.trainer = SimpleNamespace(global_step=0, fit_loop=None)  # type: ignore[assignment]
    optimizer = with_gradient(made)
    peer = copy.deepcopy(made.model)
    for own, other in zip(made.model.parameters(), peer.parameters(), strict=True):
        other.grad = own.grad.clone()
    adaptive_clip_grad(peer.parameters() if head else peer.body.parameters(), 0.01)
    before = float(nn.utils.get_total_norm([p.grad for p in made.model.parameters()]))
    with listening() as listener:
        made.configure_gradient_clipping(optimizer)
        share = listener.drain()["clip_adaptive/share"]["mean"]
    for own, other in zip(made.model.parameters(), peer.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-6, atol=0)
    assert float(made.grad_norm) == pytest.approx(before)
    assert float(made.clipped) == 1.0
    assert 0 < share <= 1


def test_norm_is_measured_only_when_wanted() -> None:
    made = module(wants_norm=lambda step: step == 2)
    optimizer = with_gradient(made)
    made.configure_gradient_clipping(optimizer)
    assert made.grad_norm is None
    made.trainer.global_step = 1
    made.configure_gradient_clipping(optimizer)
    gradients = torch.cat([p.grad.flatten() for p in made.model.parameters()])
    assert float(made.grad_norm) == pytest.approx(float(gradients.norm()))
    assert made.clipped is None


def test_channels_last_lays_out_both_kinds_of_convolution() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv3d(3, 4, 3))
    x = torch.randn(1, 3, 5, 5)
    before = model[0](x)
    apply_memory_format(model, "channels_last")
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert model[1].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.allclose(model[0](x), before, atol=1e-6)
    with pytest.raises(ValueError, match="memory format"):
        apply_memory_format(model, "fortran")
