"""What every context block must be; new ones are found by the registry."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
from torch import nn

from tricklab import registry
from tricklab.errors import UserError
from tricklab.models.insert import apply_inserts
from tricklab.models.multiplications import count_macs
from tricklab.observe import listening

NAMES = [entry.name for entry in registry.entries("context")]
# those whose branch starts at zero
IDENTITY = {
    "NonLocal", "PositionAttention", "ChannelAttention", "DANet", "CCNet", "A2", "CGNL", "GCU", "GloRe", "LatentGNN",
}  # fmt: skip
every = pytest.mark.parametrize("name", NAMES)


def build(name: str, channels: int = 16, **options: object) -> nn.Module:
    torch.manual_seed(0)
    block: nn.Module = registry.build("context", {"type": name, **options}, channels=channels)
    return block


def awake(name: str, channels: int = 16) -> nn.Module:
    """The block as after some training: nothing is zero, and nothing random is left."""
    block = build(name, channels)
    with torch.no_grad():
        for weight in block.parameters():
            if not weight.any():
                weight.normal_(std=0.5)
    for part in block.modules():
        if isinstance(part, nn.Dropout2d):
            part.p = 0.0
    return block


def test_all_that_were_asked_for_are_there() -> None:
    assert IDENTITY | {"PSA", "OCNet", "OCR", "SGR", "APCNet", "EMAttention", "LocalRelation", "SPM", "MPM"} == set(
        NAMES
    )


@every
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 6), (4, 1), (8, 8)])
def test_a_batch_of_one_trains_at_any_size(name: str, size: tuple[int, int]) -> None:
    block = awake(name).train()
    x = torch.randn(1, 16, *size, requires_grad=True)
    y = block(x)
    assert y.shape == x.shape
    assert y.isfinite().all()
    (y * torch.randn_like(y)).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in block.parameters() if weight.grad is not None)


@every
def test_it_starts_as_the_identity_where_it_says_so(name: str) -> None:
    block = build(name).train()
    x = torch.randn(2, 16, 6, 5)
    assert torch.equal(block(x), x) == (name in IDENTITY)


@every
def test_all_weights_learn_but_those_that_are_frozen(name: str) -> None:
    block = awake(name).train()
    (block(torch.randn(4, 16, 9, 8)) * torch.randn(4, 16, 9, 8)).sum().backward()
    idle = {key for key, weight in block.named_parameters() if weight.requires_grad and weight.grad is None}
    frozen = {key for key, weight in block.named_parameters() if not weight.requires_grad}
    assert idle == set()
    assert frozen == ({"conv1.weight", "conv1.bias"} if name == "EMAttention" else set())


@every
def test_the_start_can_be_left(name: str) -> None:
    block = build(name).train()
    optimizer = torch.optim.SGD([w for w in block.parameters() if w.requires_grad], lr=0.1)
    x, target = torch.randn(2, 16, 6, 5), torch.randn(2, 16, 6, 5)
    first = block(x).detach()
    for _ in range(2):
        optimizer.zero_grad()
        (block(x) - target).square().mean().backward()
        optimizer.step()
    assert not torch.equal(block(x), first)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "EMAttention"])
def test_gradients_agree_with_differences(name: str) -> None:
    block = awake(name).double().eval()
    x = torch.randn(1, 16, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, (x,), eps=1e-6, atol=1e-5, rtol=1e-3, fast_mode=True)


@every
def test_memory_formats_copies_and_stored_weights_give_the_same(name: str) -> None:
    block, x = awake(name).eval(), torch.randn(2, 16, 7, 6)
    y = block(x)
    assert torch.equal(block(x), y)
    torch.testing.assert_close(block(x.to(memory_format=torch.channels_last)), y, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(copy.deepcopy(block)(x), y)
    other = build(name).eval()
    other.load_state_dict(block.state_dict())
    torch.testing.assert_close(other(x), y)


@every
def test_half_precision_stays_finite(name: str) -> None:
    block = awake(name).train()
    x = (30 * torch.randn(2, 16, 8, 8)).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = block(x)
    assert y.isfinite().all()
    y.float().square().mean().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@every
def test_all_of_it_may_be_in_half_precision(name: str) -> None:
    block, x = awake(name).bfloat16().train(), torch.randn(2, 16, 8, 8, dtype=torch.bfloat16, requires_grad=True)
    y = block(x)
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    y.float().square().mean().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    torch.testing.assert_close(block.eval()(x).double(), block.double()(x.double()), rtol=0.1, atol=0.1)


@every
def test_sums_over_large_maps_do_not_overflow_in_half_precision(name: str) -> None:
    block, x = awake(name).train(), 15 + torch.randn(1, 16, 40, 40)
    with torch.autocast("cpu", dtype=torch.float16):
        assert block(x).isfinite().all()


@every
def test_its_multiply_adds_are_counted_on_shapes_alone(name: str) -> None:
    assert count_macs(build(name), 16, (9, 8)) > 0


@every
def test_it_can_be_put_into_any_model_and_says_how_much_it_changed(name: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU())
    assert apply_inserts(model, [{"type": name, "after": "0"}], lambda _: contextlib.nullcontext()) == ["0.inserted.0"]
    with listening() as listener:
        model(torch.randn(2, 3, 8, 8))
    change = listener.drain()[f"context/{name}/change"]
    assert (change["max"] == 0) == (name in IDENTITY)


@every
def test_wrong_input_is_named(name: str) -> None:
    with pytest.raises(UserError, match=r"was built for \(N, 16, H, W\)"):
        build(name)(torch.zeros(1, 15, 4, 4))
    with pytest.raises(UserError, match="its input has shape"):
        build(name)(torch.zeros(1, 16, 4))


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"type": "NonLocal", "reduction": 0}, "reduction of NonLocal must be at least 1"),
        ({"type": "CGNL", "groups": 5}, "5 groups do not divide 16 channels"),
        ({"type": "CGNL", "norm_groups": 3}, "3 norm_groups do not divide"),
        ({"type": "PSA", "mask_size": [4, 5]}, "odd numbers, not 4 and 5"),
        ({"type": "PSA", "normalization_factor": 0.0}, "must be positive"),
        ({"type": "LocalRelation", "window": 4}, "odd number, not 4"),
        ({"type": "LocalRelation", "share": 5}, "divide its 16 channels"),
        ({"type": "SGR", "symbols": 3, "edges": [[0, 3]]}, "joins 0 and 3, but its symbols are 0 to 2"),
        (
            {"type": "SGR", "symbols": 2, "words": [[1.0], [1.0, 2.0]]},
            "vectors of one length, not 2, of lengths 1, 2",
        ),
        ({"type": "SGR", "edges": [[0, 1]], "reason": "identity"}, "do nothing with reason: identity"),
        ({"type": "EMAttention", "momentum": 1.5}, "from 0 to 1"),
        ({"type": "LatentGNN", "latent_dims": []}, "numbers of at least 1"),
        ({"type": "GCU", "nodes": [0]}, "nodes of GCU must be at least 1"),
        ({"type": "OCNet", "grids": [0]}, "numbers of at least 1"),
        ({"type": "OCNet", "dropout": 1.0}, "below 1"),
        ({"type": "OCR", "dropout": -0.1}, "below 1"),
        ({"type": "APCNet", "pool_scales": []}, "numbers of at least 1"),
        ({"type": "CCNet", "recurrence": 0}, "recurrence of CCNet must be at least 1"),
        ({"type": "GloRe", "reason": "graf"}, "wrong value 'graf' of GloRe"),
    ],
)
def test_wrong_arguments_are_named(config: dict[str, object], what: str) -> None:
    with pytest.raises(UserError, match=what.replace("(", r"\(")):
        registry.build("context", config, channels=16)
