"""GroupMamba under torch.compile, autocast and export."""

import pytest
import torch

from tricklab.models.groupmamba import GroupMamba
from tricklab.models.groupmamba_blocks import Block


@pytest.mark.parametrize("backend", ["eager", pytest.param("aot_eager", marks=pytest.mark.slow)])
def test_a_compiled_block_is_the_block(backend: str) -> None:
    torch._dynamo.reset()
    torch.manual_seed(0)
    block = Block(32, 64, drop_path=0.3, groups=4, directions=4, modulation=True)
    compiled = torch.compile(block, backend=backend, fullgraph=True)
    x = torch.randn(2, 15, 32, requires_grad=True)
    gradients = []
    for run in (block, compiled):
        torch.manual_seed(1)
        y = run(x, (3, 5))
        gradients.append((y, *torch.autograd.grad(y.sin().sum(), [x, *block.parameters()])))
    for plain, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_compiled_network_is_the_network() -> None:
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = GroupMamba(embed_dims=[16, 16, 32, 32], depths=[1, 1, 1, 1], distillation=True, drop_path=0.3, classes=5)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    images = torch.randn(2, 3, 33, 40)
    for training in (True, False):
        model.train(training)
        torch.manual_seed(1)
        expected = model(images)
        torch.manual_seed(1)
        torch.testing.assert_close(compiled(images), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_exported_network_is_the_network() -> None:
    torch.manual_seed(0)
    model = GroupMamba(embed_dims=[16, 16, 32, 32], depths=[1, 1, 1, 1], classes=5).eval()
    images = torch.randn(2, 3, 33, 40)
    with torch.no_grad():
        exported = torch.export.export(model, (images,)).module()
        torch.testing.assert_close(exported(images), model(images), rtol=1e-5, atol=1e-6)


def test_autocast_trains_and_stays_near_float32() -> None:
    torch.manual_seed(0)
    model = GroupMamba(embed_dims=[16, 16, 32, 32], depths=[1, 1, 1, 1], drop_path=0.0, classes=5)
    images = torch.randn(2, 3, 64, 48)
    with torch.autocast("cpu", torch.bfloat16):
        found = model(images)["main"]
    found.float().square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    expected = model(images)["main"]
    assert (found.float() - expected).norm() < 0.1 * expected.norm()
