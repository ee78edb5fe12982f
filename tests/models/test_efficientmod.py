"""EfficientMod against published counts and names and against its formulas written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from tricklab import registry
from tricklab.errors import UserError
from tricklab.models.efficientmod import SIZES, EfficientMod
from tricklab.models.initial_weights import remembered
from tricklab.optim.layer_numbers import layer_numbers


def lively(size: Any, seed: int = 0) -> EfficientMod:
    """In float64, with weights so large that every branch matters."""
    torch.manual_seed(seed)
    model = EfficientMod(size, classes=5).double().eval()
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.5)
        if ("norm" in name and name.endswith("weight")) or name.endswith("gamma_1"):
            nn.init.uniform_(parameter, 0.5, 1.5)
    return model


def written_out(state: dict[str, Tensor], size: Any, images: Tensor) -> Tensor:
    """The network in channels-first layout, attention as matrix products, the context tiled."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance = x.mean(1, keepdim=True), x.var(1, unbiased=False, keepdim=True)
        scale, shift = (state[f"{name}.{part}"][:, None, None] for part in ("weight", "bias"))
        return (x - mean) / (variance + 1e-5).sqrt() * scale + shift

    def dense(x: Tensor, name: str) -> Tensor:
        return functional.conv2d(x, state[f"{name}.weight"][:, :, None, None], state.get(f"{name}.bias"))

    def patches(x: Tensor, name: str, stride: int) -> Tensor:
        weight = state[f"{name}.proj.weight"]
        return norm(
            functional.conv2d(x, weight, state[f"{name}.proj.bias"], stride, weight.shape[-1] // 2), f"{name}.norm"
        )

    def modulation(x: Tensor, name: str, ratio: int) -> Tensor:
        around = dense(x, f"{name}.context_layer.f")
        kernel, bias = (state[f"{name}.context_layer.context_list.0.{part}"] for part in ("weight", "bias"))
        around = functional.gelu(functional.conv2d(around, kernel, bias, padding=3, groups=around.shape[1]))
        context = dense(around, f"{name}.context_layer.g")
        hidden = dense(x, f"{name}.fc1")
        hidden = hidden if ratio == 1 else functional.gelu(hidden)
        return dense(hidden * context.repeat(1, ratio, 1, 1), f"{name}.fc2")

    def attention(x: Tensor, name: str) -> Tensor:
        batch, channels, height, width = x.shape
        head = max(channels // 8, 32)
        q, k, v = dense(x, f"{name}.qkv").reshape(batch, 3, 8, head, -1).unbind(1)
        scores = torch.softmax(q.transpose(-1, -2) @ k / head**0.5, dim=-1)
        return dense((v @ scores.transpose(-1, -2)).reshape(batch, -1, height, width), f"{name}.proj")

    preset = SIZES[size]
    x = patches(images, "patch_embed", 4)
    for stage in range(4):
        for place in range(preset.modulations[stage] + preset.attentions[stage]):
            name = f"layers.{stage}.blocks.{place}"
            if place < preset.modulations[stage]:
                found = modulation(norm(x, f"{name}.norm"), f"{name}.mlp", [1, preset.ratio][place % 2])
                x = x + state[f"{name}.gamma_1"][:, None, None] * found
            else:
                x = x + attention(norm(x, f"{name}.norm1"), f"{name}.attn")
                hidden = dense(norm(x, f"{name}.norm2"), f"{name}.mlp.fc1")
                x = x + dense(functional.gelu(hidden), f"{name}.mlp.fc2")
        if stage < 3:
            x = patches(x, f"layers.{stage}.downsample", 2)
    return dense(norm(x, "norm").mean((2, 3), keepdim=True), "head")[:, :, 0, 0]


@pytest.mark.parametrize(
    ("size", "published", "twelve", "entries"),
    [
        ("xxs", 4_736_264, 4_482_348, 209),
        ("xs", 6_627_544, 6_342_012, 242),
        ("s", 12_897_184, 12_587_940, 368),
        ("s_conv", 12_872_336, 12_531_476, 384),
    ],
)
def test_parameters_and_entries_are_the_published_ones(size: Any, published: int, twelve: int, entries: int) -> None:
    for classes, expected in ((1000, published), (12, twelve)):
        model = EfficientMod(size, classes=classes)
        assert sum(parameter.numel() for parameter in model.parameters()) == expected
        assert len(model.state_dict()) == entries


def test_weight_names_are_the_official_ones() -> None:
    names = set(EfficientMod("xxs", classes=3).state_dict())
    assert {name for name in names if not name.startswith("layers")} == {
        "patch_embed.proj.weight", "patch_embed.proj.bias", "patch_embed.norm.weight", "patch_embed.norm.bias",
        "norm.weight", "norm.bias", "head.weight", "head.bias",
    }  # fmt: skip
    assert {name.removeprefix("layers.0.blocks.1.") for name in names if name.startswith("layers.0.blocks.1.")} == {
        "gamma_1", *(
            f"{part}.{kind}" for kind in ("weight", "bias") for part in (
                "norm", "mlp.fc1", "mlp.fc2", "mlp.context_layer.f", "mlp.context_layer.g",
                "mlp.context_layer.context_list.0",
            )
        ),
    }  # fmt: skip
    assert {name.removeprefix("layers.3.blocks.3.") for name in names if name.startswith("layers.3.blocks.3.")} == {
        "attn.qkv.weight",
        *(
            f"{part}.{kind}"
            for kind in ("weight", "bias")
            for part in ("norm1", "norm2", "attn.proj", "mlp.fc1", "mlp.fc2")
        ),
    }
    assert "layers.2.downsample.proj.weight" in names
    assert not [name for name in names if name.startswith("layers.3.downsample")]


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        ("xxs", (64, 64)),
        ("xs", (41, 26)),
        pytest.param("s", (41, 26), marks=pytest.mark.slow),
        pytest.param("s_conv", (41, 26), marks=pytest.mark.slow),
    ],
)
def test_it_is_its_formulas(size: Any, pixels: tuple[int, int]) -> None:
    model = lively(size)
    images = torch.randn(2, 3, *pixels, dtype=torch.float64)
    with torch.no_grad():
        found = model(images)["main"]
        assert (found[0] - found[1]).abs().max() > 0.1
        torch.testing.assert_close(found, written_out(model.state_dict(), size, images), rtol=1e-9, atol=1e-9)


def test_gradients_are_those_of_the_formulas() -> None:
    model = lively("xxs")
    images = torch.randn(2, 3, 33, 40, dtype=torch.float64)
    target = torch.tensor([1, 4])
    functional.cross_entropy(model(images)["main"], target).backward()
    state = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
    functional.cross_entropy(written_out(state, "xxs", images), target).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, state[name].grad, rtol=1e-7, atol=1e-9)


def test_skipped_branches_grow_linearly() -> None:
    def rates(model: nn.Module) -> list[float]:
        return [part.p for part in model.modules() if isinstance(part, StochasticDepth)]

    assert rates(EfficientMod("xxs", classes=2)) == [0.0] * 15
    assert rates(EfficientMod("xxs", classes=2, drop_path=0.14)) == pytest.approx([0.01 * place for place in range(15)])
    assert rates(EfficientMod("s", classes=2))[-1] == pytest.approx(0.02)


def test_weights_of_another_number_of_classes_keep_the_fresh_head(tmp_path: Path) -> None:
    source = EfficientMod("xxs", classes=7).state_dict()
    torch.save({"state_dict_ema": {f"module.{name}": value for name, value in source.items()}}, tmp_path / "w.pth")
    config = {"type": "EfficientMod", "weights": str(tmp_path / "w.pth")}
    model = registry.build("model", config, classes=4, channels=3)
    taken = remembered(model)
    assert taken is not None
    assert (taken.entry, taken.kept, len(taken.loaded)) == ("state_dict_ema", ("head.bias", "head.weight"), 207)
    assert all(torch.equal(model.state_dict()[name], source[name]) for name in taken.loaded)
    with pytest.raises(UserError, match=r"are missing|another shape"):
        registry.build("model", {**config, "size": "xs"}, classes=4, channels=3)


def test_wrong_images_and_rates_are_refused() -> None:
    with pytest.raises(UserError, match=r"\(N, 3, H, W\), but is given \(1, 4, 8, 8\)"):
        EfficientMod(classes=2)(torch.zeros(1, 4, 8, 8))
    with pytest.raises(UserError, match=r"model\.drop_path: drop_path must lie in \[0, 1\), not 1"):
        EfficientMod(classes=2, drop_path=1.0)


def test_its_layers_are_the_stem_each_block_and_the_head() -> None:
    layers = layer_numbers(EfficientMod("xxs", classes=2))
    assert sorted(set(layers.values())) == list(range(17))
    chosen = ("patch_embed.norm.bias", "layers.0.blocks.1.gamma_1", "layers.0.downsample.proj.bias", "norm.weight")
    assert [layers[name] for name in chosen] == [0, 2, 2, layers["head.weight"]]
