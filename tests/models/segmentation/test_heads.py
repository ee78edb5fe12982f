"""Each head against its formula written out with its own weights, and OpenMMLab's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tricklab import registry
from tricklab.errors import UserError

State = dict[str, Tensor]
WIDTHS = (4, 6, 8)
BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def lively(config: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    head = registry.build("head", config, num_classes=3, in_channels=list(WIDTHS)).double().eval()
    for name, tensor in head.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.5 if "running_var" in name else torch.randn_like(tensor) * 0.5)
    return head


def conv(state: State, name: str, x: Tensor, dilation: int = 1) -> Tensor:
    """Convolution, batch normalisation with running statistics, ReLU."""
    weight = state[f"{name}.conv.weight"]
    x = functional.conv2d(x, weight, None, 1, weight.shape[-1] // 2 * dilation, dilation, x.shape[1] // weight.shape[1])
    scale, shift, mean, variance = (state[f"{name}.bn.{part}"][:, None, None] for part in BN[:4])
    return functional.relu((x - mean) / (variance + 1e-5).sqrt() * scale + shift)


def separable(state: State, name: str, x: Tensor, dilation: int = 1) -> Tensor:
    return conv(state, f"{name}.pointwise_conv", conv(state, f"{name}.depthwise_conv", x, dilation))


def raised(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


def scores(state: State, x: Tensor) -> Tensor:
    return functional.conv2d(x, state["conv_seg.weight"], state["conv_seg.bias"])


def pooled(state: State, x: Tensor, scales: tuple[int, ...]) -> list[Tensor]:
    found = [conv(state, f"psp_modules.{n}.1", functional.adaptive_avg_pool2d(x, s)) for n, s in enumerate(scales)]
    return [x, *(raised(one, x) for one in found)]


def fcn(state: State, maps: list[Tensor]) -> Tensor:
    x = maps[-1]
    found = conv(state, "convs.1", conv(state, "convs.0", x, 2), 2)
    return scores(state, conv(state, "conv_cat", torch.cat([x, found], 1)))


def psp(state: State, maps: list[Tensor]) -> Tensor:
    return scores(state, conv(state, "bottleneck", torch.cat(pooled(state, maps[1], (1, 2, 3)), 1)))


def pyramid(state: State, x: Tensor, apart: bool) -> Tensor:
    found = [raised(conv(state, "image_pool.1", x.mean((2, 3), keepdim=True)), x), conv(state, "aspp_modules.0", x)]
    for number, dilation in ((1, 2), (2, 3)):
        found.append((separable if apart else conv)(state, f"aspp_modules.{number}", x, dilation))
    return conv(state, "bottleneck", torch.cat(found, 1))


def aspp(state: State, maps: list[Tensor]) -> Tensor:
    return scores(state, pyramid(state, maps[-1], False))


def separable_aspp(state: State, maps: list[Tensor]) -> Tensor:
    early = conv(state, "c1_bottleneck", maps[0])
    joined = torch.cat([raised(pyramid(state, maps[-1], True), early), early], 1)
    return scores(state, separable(state, "sep_bottleneck.1", separable(state, "sep_bottleneck.0", joined)))


def uper(state: State, maps: list[Tensor]) -> Tensor:
    top = conv(state, "bottleneck", torch.cat(pooled(state, maps[2], (1, 2)), 1))
    middle = conv(state, "lateral_convs.1", maps[1])
    middle = middle + raised(top, middle)
    low = conv(state, "lateral_convs.0", maps[0])
    low = low + raised(middle, low)
    found = [conv(state, "fpn_convs.0", low), raised(conv(state, "fpn_convs.1", middle), low), raised(top, low)]
    return scores(state, conv(state, "fpn_bottleneck", torch.cat(found, 1)))


CASES: list[tuple[dict[str, Any], Callable[[State, list[Tensor]], Tensor], set[str]]] = [
    ({"type": "FCNHead", "dilation": 2}, fcn, {"convs.0", "convs.1", "conv_cat"}),
    (
        {"type": "PSPHead", "pool_scales": [1, 2, 3], "in_index": 1},
        psp,
        {"psp_modules.0.1", "psp_modules.1.1", "psp_modules.2.1", "bottleneck"},
    ),
    (
        {"type": "ASPPHead", "dilations": [1, 2, 3]},
        aspp,
        {"image_pool.1", "aspp_modules.0", "aspp_modules.1", "aspp_modules.2", "bottleneck"},
    ),
    (
        {"type": "DepthwiseSeparableASPPHead", "dilations": [1, 2, 3], "c1_channels": 2},
        separable_aspp,
        {
            "image_pool.1", "aspp_modules.0", "bottleneck", "c1_bottleneck",
            *(
                f"{name}.{part}_conv"
                for name in ("aspp_modules.1", "aspp_modules.2", "sep_bottleneck.0", "sep_bottleneck.1")
                for part in ("depthwise", "pointwise")
            ),
        },
    ),
    (
        {"type": "UPerHead", "pool_scales": [1, 2]},
        uper,
        {
            "psp_modules.0.1", "psp_modules.1.1", "bottleneck", "lateral_convs.0", "lateral_convs.1", "fpn_convs.0",
            "fpn_convs.1", "fpn_bottleneck",
        },
    ),
]  # fmt: skip
IDS = [case[0]["type"] for case in CASES]


@pytest.mark.parametrize(("config", "formula", "modules"), CASES, ids=IDS)
@pytest.mark.parametrize("size", [(12, 16), (9, 7)])
def test_it_is_its_formula_under_openmmlabs_names(
    config: dict[str, Any], formula: Callable[[State, list[Tensor]], Tensor], modules: set[str], size: tuple[int, int]
) -> None:
    head = lively({**config, "channels": 5})
    state = head.state_dict()
    expected = {"conv_seg.weight", "conv_seg.bias", *(f"{name}.conv.weight" for name in modules)}
    assert set(state) == expected | {f"{name}.bn.{part}" for name in modules for part in BN}
    height, width = size
    maps = [
        torch.randn(2, channels, -(-height // 2**n), -(-width // 2**n), dtype=torch.float64)
        for n, channels in enumerate(WIDTHS)
    ]
    with torch.no_grad():
        found = head(maps)
        torch.testing.assert_close(found, formula(state, maps), rtol=1e-9, atol=1e-9)
    assert found.std() > 1e-3


@pytest.mark.parametrize("config", [case[0] for case in CASES], ids=IDS)
def test_a_context_block_is_one_key_and_leaves_the_other_weights_alone(config: dict[str, Any]) -> None:
    maps = [torch.randn(2, channels, 8, 8, dtype=torch.float64) for channels in WIDTHS]
    plain = lively({**config, "channels": 8})
    torch.manual_seed(0)
    fresh = registry.build("head", {**config, "channels": 8}, num_classes=3, in_channels=list(WIDTHS)).state_dict()
    torch.manual_seed(0)
    options = {**config, "channels": 8, "context": {"type": "NonLocal"}}
    head = registry.build("head", options, num_classes=3, in_channels=list(WIDTHS)).double().eval()
    own = head.state_dict()
    assert {name.split(".")[0] for name in set(own) - set(fresh)} == {"context"}
    assert all(torch.equal(own[name], tensor.to(own[name].dtype)) for name, tensor in fresh.items())
    head.load_state_dict(plain.state_dict(), strict=False)
    called: list[tuple[int, ...]] = []
    head.context.register_forward_hook(lambda _module, _inputs, output: called.append(tuple(output.shape)))
    assert head(maps).shape == plain(maps).shape
    assert called == [(2, 8, 8, 8)]


def test_several_maps_are_joined_at_the_size_of_the_first() -> None:
    head = lively({"type": "FCNHead", "channels": 5, "in_index": [1, 2], "input_transform": "resize_concat",
                   "num_convs": 1, "concat_input": False})  # fmt: skip
    maps = [torch.randn(1, channels, 8 // 2**n, 8 // 2**n, dtype=torch.float64) for n, channels in enumerate(WIDTHS)]
    joined = torch.cat([maps[1], raised(maps[2], maps[1])], 1)
    torch.testing.assert_close(head(maps), scores(head.state_dict(), conv(head.state_dict(), "convs.0", joined)))


def test_without_convolutions_the_map_itself_is_classified() -> None:
    config = {"type": "FCNHead", "channels": 8, "num_convs": 0, "concat_input": False}
    head = lively(config)
    maps = [torch.randn(1, channels, 4, 4, dtype=torch.float64) for channels in WIDTHS]
    torch.testing.assert_close(head(maps), scores(head.state_dict(), maps[-1]))
    with pytest.raises(UserError, match="channels are those of the map, 8, not 5"):
        lively({**config, "channels": 5})


def test_separable_pyramid_without_the_early_map() -> None:
    head = lively({"type": "DepthwiseSeparableASPPHead", "channels": 5, "c1_channels": 0})
    assert not any(name.startswith("c1_bottleneck") for name in head.state_dict())
    maps = [torch.zeros(1, channels, 8 // 2**n, 8 // 2**n, dtype=torch.float64) for n, channels in enumerate(WIDTHS)]
    assert head(maps).shape == (1, 3, 2, 2)


@pytest.mark.parametrize("name", ["PSPHead", "ASPPHead", "UPerHead"])
def test_a_batch_of_one_trains_without_batch_statistics_and_is_refused_with_them(name: str) -> None:
    maps = [torch.randn(1, channels, 6, 6) for channels in WIDTHS]
    options: dict[str, Any] = {"num_classes": 3, "in_channels": list(WIDTHS)}
    with pytest.raises(UserError, match="at least two images"):
        registry.build("head", {"type": name, "channels": 4}, **options)(maps)
    grouped = {"type": name, "channels": 4, "norm_cfg": {"type": "GN", "num_groups": 2}}
    registry.build("head", grouped, **options)(maps).square().mean().backward()


def test_dropout_zeroes_whole_channels_while_training_only() -> None:
    head = registry.build(
        "head", {"type": "FCNHead", "channels": 8, "num_convs": 0, "concat_input": False, "dropout_ratio": 0.5},
        num_classes=3, in_channels=list(WIDTHS),
    )  # fmt: skip
    head.conv_seg = torch.nn.Identity()
    torch.manual_seed(0)
    maps = [torch.ones(4, channels, 3, 3) for channels in WIDTHS]
    kept = head(maps).flatten(2)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(kept[..., 0], kept[..., -1])
    assert torch.equal(head.eval()(maps), maps[-1])
