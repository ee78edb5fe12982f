"""X' = X + what few nodes can say: the rank of the difference, and the reasoning as a switch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.layers.context.test_contract import awake, build

# options with K far below what 11 × 9 pixels and the channels inside would allow
FEW = {
    "A2": ({"reduction": 8}, 6),
    "GloRe": ({"num_mid": 3}, 3),
    "GCU": ({"nodes": [1, 2], "reduction": 2}, 3),
    "LatentGNN": ({"latent_dims": [2, 3], "channel_stride": 4}, 5),
    "SGR": ({"symbols": 3, "reduction": 2}, 3),
    "EMAttention": ({"num_bases": 3}, 3),
    "OCR": ({"regions": 3}, 3),
}
LINEAR_TO_THE_END = ["A2", "GloRe", "GCU", "LatentGNN"]
REASONING = ["SGR", "GCU", "GloRe", "LatentGNN"]
CHANNELS = 48


def few(name: str, **more: Any) -> nn.Module:
    block = build(name, CHANNELS, **FEW[name][0], **more).double()
    with torch.no_grad():
        for weight in block.parameters():
            if not weight.any() and weight.ndim == 1:
                weight.fill_(1.0 if "bias" not in _name_of(block, weight) else 0.0)
    return block.eval()


def _name_of(block: nn.Module, wanted: Tensor) -> str:
    return next(name for name, weight in block.named_parameters() if weight is wanted)


def rank(maps: Tensor) -> int:
    return int(torch.linalg.matrix_rank(maps[0].flatten(1), rtol=1e-9))


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(1, CHANNELS, 11, 9, dtype=torch.float64)


@pytest.mark.parametrize("name", FEW)
def test_the_reconstruction_has_no_higher_rank_than_nodes(name: str, x: Tensor) -> None:
    found = few(name).reconstruction(x)
    assert 1 <= rank(found) <= FEW[name][1]


@pytest.mark.parametrize("name", LINEAR_TO_THE_END)
def test_so_has_the_difference_of_output_and_input(name: str, x: Tensor) -> None:
    difference = few(name)(x) - x
    assert 1 <= rank(difference) <= FEW[name][1]


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_scale_of_apcnet_has_the_rank_of_its_regions(scale: int, x: Tensor) -> None:
    block = build("APCNet", CHANNELS, pool_scales=[scale]).double().eval()
    module = block.acm_modules[0]
    assert rank(module.reconstruction(x, module.input_redu_conv(x))) <= scale**2


@pytest.mark.parametrize("name", ["SGR", "EMAttention"])
def test_a_last_relu_lifts_the_bound(name: str, x: Tensor) -> None:
    block = few(name)
    x = 10 * x
    difference = block(x) - x
    assert rank(difference) > FEW[name][1]


@pytest.mark.parametrize("name", ["NonLocal", "PositionAttention", "CCNet"])
def test_attention_of_all_to_all_has_no_such_bound(name: str, x: Tensor) -> None:
    block = awake(name, CHANNELS).double().eval()
    assert rank(block(x) - x) > 10


@pytest.mark.parametrize("name", REASONING)
def test_reasoning_can_be_left_out(name: str, x: Tensor) -> None:
    graph, identity = few(name), few(name, reason="identity")
    assert not torch.allclose(graph.reconstruction(x), identity.reconstruction(x))
    assert set(identity.state_dict()) <= set(graph.state_dict())
    more = {key.split(".")[0] for key in set(graph.state_dict()) - set(identity.state_dict())}
    own = {"SGR": {"convolution", "adjacency", "vectors"}, "GCU": {"units"}, "GloRe": {"gcn"}, "LatentGNN": set()}
    assert more == own[name]
    # what both have is the same, so that only the step differs
    identity.load_state_dict({key: graph.state_dict()[key] for key in identity.state_dict()})
    if name == "GloRe":
        nodes, maps = identity.assign(x)
        expected = torch.einsum("nkc,nkp->ncp", nodes, maps).unflatten(2, (11, 9))
        torch.testing.assert_close(identity.reconstruction(x), expected)
        torch.testing.assert_close(
            graph.reconstruction(x), torch.einsum("nkc,nkp->ncp", graph.gcn(nodes), maps).unflatten(2, (11, 9))
        )
