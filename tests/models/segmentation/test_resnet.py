"""ResNet's family against timm's networks with the same weights, published counts and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from tricklab import registry, seeds
from tricklab.errors import UserError
from tricklab.layers.deformable_convolution import DeformConv2dPack
from tricklab.models.initial_weights import remembered
from tricklab.models.insert import apply_inserts
from tricklab.optim.layer_numbers import layer_numbers

PAPER = {"deep_stem": False, "avg_down": False}
STEM = {f"conv1.{index}.": f"stem.{index}." for index in range(6)} | {"bn1.": "stem.7."}


def backbone(type: str = "ResNet", depth: int = 50, **options: Any) -> Any:
    return registry.build("backbone", {"type": type, "depth": depth, **options}, in_channels=3)


def small(**options: Any) -> Any:
    return backbone(base_channels=8, stem_channels=8, **{"base_width": 8, **options})


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def lively(model: nn.Module) -> nn.Module:
    """In float64, with running statistics and scales that matter."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 1 and tensor.is_floating_point():
            low = 0.5 if name.endswith(("weight", "running_var")) else -0.2
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * (0.5 if low > 0 else 0.4) + low)
    return model.double().eval()


def renamed(state: dict[str, Tensor], deep: bool) -> dict[str, Tensor]:
    """timm's names as OpenMMLab's: the deep stem is one sequence there."""
    found = {}
    for name, tensor in state.items():
        for old, new in STEM.items() if deep else ():
            if name.startswith("conv1.6."):
                break
            if name.startswith(old):
                name = new + name.removeprefix(old)
                break
        found[name.replace("conv1.6.", "stem.6.") if deep and name.startswith("conv1.6.") else name] = tensor
    return {name: tensor for name, tensor in found.items() if not name.startswith("fc.")}


@pytest.mark.parametrize(
    ("theirs", "config", "deep"),
    [
        ("resnet18", {"depth": 18}, False),
        ("resnet50", {}, False),
        pytest.param(*("resnet50d", {"type": "ResNetV1d"}, True), marks=pytest.mark.slow),
        pytest.param(*("resnext50_32x4d", {"type": "ResNeXt"}, False), marks=pytest.mark.slow),
        ("res2net50_26w_4s", {"type": "Res2Net", **PAPER}, False),
        pytest.param(*("res2net50_14w_8s", {"scales": 8, "base_width": 14}, False), marks=pytest.mark.slow),
        pytest.param(*("res2next50", {"type": "ResNeXt", "groups": 8, "scales": 4}, False), marks=pytest.mark.slow),
        pytest.param(*("res2net50d", {"type": "Res2Net"}, True), marks=pytest.mark.slow),
    ],
)
def test_maps_are_timms_with_the_same_weights(theirs: str, config: dict[str, Any], deep: bool) -> None:
    torch.manual_seed(0)
    reference: Any = lively(timm.create_model(theirs, features_only=True, out_indices=(1, 2, 3, 4)))
    ours = backbone(**config).double().eval()
    ours.load_state_dict(renamed(reference.state_dict(), deep))
    images = torch.randn(1, 3, 36, 45, dtype=torch.float64)
    with torch.no_grad():
        found, expected = ours(images), reference(images)
    assert [x.shape[1] for x in found] == list(ours.channels)
    for one, other in zip(found, expected, strict=True):
        assert other.std() > 1e-3
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("config", "published"),
    [
        ({"depth": 18}, 11.69),
        ({"depth": 101}, 44.55),
        ({"type": "ResNetV1c"}, 25.58),
        ({"type": "Res2Net", **PAPER}, 25.70),
        ({"type": "Res2Net", **PAPER, "scales": 8}, 48.40),
        ({"type": "Res2Net", "depth": 101, **PAPER}, 45.21),
        ({"type": "Res2Net"}, 25.72),
    ],
)
def test_parameters_are_the_published_ones(config: dict[str, Any], published: float) -> None:
    model = backbone(**config)
    classifier = 1000 * (model.channels[-1] + 1)
    assert round((parameters(model) + classifier) / 1e6, 2) == published


@pytest.mark.slow
def test_dilations_in_place_of_strides_are_timms_with_contract_dilation() -> None:
    torch.manual_seed(0)
    reference: Any = lively(timm.create_model("resnet50", features_only=True, out_indices=(4,), output_stride=8))
    images = torch.randn(1, 3, 56, 48, dtype=torch.float64)
    options: dict[str, Any] = {"strides": [1, 2, 1, 1], "dilations": [1, 1, 2, 4], "out_indices": [3]}
    found = {}
    for contract in (True, False):
        ours = backbone(**options, contract_dilation=contract).double().eval()
        ours.load_state_dict(reference.state_dict())
        with torch.no_grad():
            found[contract] = ours(images)[0]
    with torch.no_grad():
        expected = reference(images)[0]
    assert expected.shape[2:] == (7, 6)
    torch.testing.assert_close(found[True], expected, rtol=1e-9, atol=1e-9)
    assert (found[False] - expected).abs().max() > 1e-3


def test_dilations_reach_the_convolutions_that_openmmlab_dilates() -> None:
    model = small(strides=[1, 2, 1, 1], dilations=[1, 1, 2, 4], multi_grid=[1, 2, 4], contract_dilation=True)
    assert [block.conv2.dilation[0] for block in model.layer3] == [1, 2, 2, 2, 2, 2]
    assert [block.conv2.dilation[0] for block in model.layer4] == [1, 2, 4]
    plain = small(strides=[1, 2, 1, 1], dilations=[1, 1, 2, 4])
    assert [block.conv2.dilation[0] for block in plain.layer4] == [4, 4, 4]
    basic = backbone(depth=18, base_channels=8, dilations=[1, 1, 1, 2], strides=[1, 2, 2, 1])
    assert [(b.conv1.dilation[0], b.conv2.dilation[0]) for b in basic.layer4] == [(2, 1), (2, 1)]


def test_the_caffe_style_strides_in_the_first_convolution() -> None:
    for style, strides in (("pytorch", (1, 2)), ("caffe", (2, 1))):
        block = small(style=style).layer2[0]
        assert (block.conv1.stride[0], block.conv2.stride[0]) == strides


def test_names_are_openmmlabs() -> None:
    names = set(small(type="ResNetV1c").state_dict())
    assert {"stem.0.weight", "stem.1.running_mean", "stem.3.weight", "stem.6.weight", "stem.7.bias"} <= names
    assert not any(name.startswith(("conv1", "bn1")) for name in names)
    assert {"layer1.0.downsample.0.weight", "layer1.0.downsample.1.bias", "layer4.2.bn3.weight"} <= names
    split = {name.removeprefix("layer2.1.") for name in small(type="Res2Net").state_dict() if "layer2.1." in name}
    assert {name.rpartition(".")[0] for name in split} == {
        "conv1", "bn1", "convs.0", "convs.1", "convs.2", "bns.0", "bns.1", "bns.2", "conv3", "bn3"
    }  # fmt: skip
    assert "layer1.0.downsample.1.weight" in small(type="ResNetV1d").state_dict()
    assert "layer1.0.gn1.weight" in small(norm_cfg={"type": "GN", "num_groups": 4}).state_dict()


def test_blocks_begin_as_the_identity_unless_told() -> None:
    assert not small().layer1[1].bn3.weight.any()
    assert small(zero_init_residual=False).layer1[1].bn3.weight.all()
    x = torch.rand(2, 32, 5, 5)
    torch.testing.assert_close(small().layer1[1](x), x)


def test_frozen_stages_neither_learn_nor_count() -> None:
    model = small(type="ResNetV1c", frozen_stages=1).train()
    frozen = {name.split(".")[0] for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {"stem", "layer1"}
    assert {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad} == {
        "layer2",
        "layer3",
        "layer4",
    }
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model(torch.randn(2, 3, 40, 40))
    moved = {name.split(".")[0] for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"layer2", "layer3", "layer4"}
    assert {name.split(".")[0] for name, p in small(frozen_stages=0).named_parameters() if not p.requires_grad} == {
        "conv1",
        "bn1",
    }


def test_norm_eval_keeps_running_statistics_but_learns() -> None:
    model = small(norm_eval=True).train()
    before = model.layer1[0].bn1.running_mean.clone()
    sum(x.square().mean() for x in model(torch.randn(2, 3, 40, 40))).backward()
    assert torch.equal(model.layer1[0].bn1.running_mean, before)
    assert model.layer1[0].bn1.weight.grad is not None
    assert model.layer1.training


@pytest.mark.parametrize("options", [{}, {"type": "Res2Net"}, {"groups": 2}])
def test_deformable_stages_begin_as_plain_ones(options: dict[str, Any]) -> None:
    models = []
    two = {"num_stages": 2, "strides": [1, 2], "dilations": [1, 1], "out_indices": [1], "base_width": 2, **options}
    for dcn in ({}, {"dcn": {"type": "DCN"}, "stage_with_dcn": [False, True]}):
        torch.manual_seed(0)
        models.append(small(**two, **dcn).eval())
    plain, deformable = models
    places = {name.split(".")[0] for name, m in deformable.named_modules() if isinstance(m, DeformConv2dPack)}
    assert places == {"layer2"}
    added = {name for name in deformable.state_dict() if name not in plain.state_dict()}
    assert added
    assert all("conv_offset" in name for name in added)
    assert all(torch.equal(tensor, deformable.state_dict()[name]) for name, tensor in plain.state_dict().items())
    images = torch.randn(1, 3, 24, 24)
    with torch.no_grad():
        torch.testing.assert_close(plain(images)[-1], deformable(images)[-1], rtol=1e-4, atol=1e-5)
    fallen = small(dcn={"type": "DCN", "fallback_on_stride": True}, stage_with_dcn=[True] * 4)
    assert not any(isinstance(m, DeformConv2dPack) for m in fallen.modules())


def test_squeeze_and_excitation_comes_into_every_block_of_any_of_them() -> None:
    for options in ({}, {"groups": 2}, {"type": "Res2Net"}):
        model = small(**options)
        names = set(model.state_dict())
        added = apply_inserts(model, [{"type": "SE", "after": "layer?.*.bn3", "reduction": 4}], seeds.aside)
        assert len(added) == 16
        assert names <= set(model.state_dict())
        assert sum(p.numel() for n, p in model.named_parameters() if n not in names) == sum(
            count * 2 * (32 * 2**stage) ** 2 // 4 for stage, count in enumerate((3, 4, 6, 3))
        )
        assert model(torch.randn(1, 3, 64, 64))[-1].shape == (1, 256, 2, 2)


def test_weights_of_a_classification_network_begin_it(tmp_path: Path) -> None:
    import torchvision

    source = torchvision.models.resnet18(num_classes=7).state_dict()
    torch.save(source, tmp_path / "resnet18.pth")
    config = {"type": "ResNet", "depth": 18, "weights": str(tmp_path / "resnet18.pth")}
    model = registry.build("backbone", config, in_channels=3)
    assert all(torch.equal(tensor, source[name]) for name, tensor in model.state_dict().items())
    taken = remembered(model)
    assert taken is not None
    assert taken.unused == ("fc.weight", "fc.bias")
    with pytest.raises(UserError, match="are missing"):
        registry.build("backbone", {**config, "type": "ResNetV1c"}, in_channels=3)


def test_its_layers_are_the_stem_and_the_blocks() -> None:
    layers = layer_numbers(small(type="ResNetV1c"))
    assert sorted(set(layers.values())) == list(range(17))
    assert (layers["stem.6.weight"], layers["layer1.0.conv1.weight"], layers["layer4.2.bn3.bias"]) == (0, 1, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strides": [1, 2]}, "strides needs 4 numbers"),
        ({"dilations": [1, 1, 0, 1]}, "dilations needs 4 numbers of at least 1"),
        ({"num_stages": 5}, "num_stages must be 1 to 4"),
        ({"out_indices": [4]}, "out_indices are stages 0 to 3"),
        ({"frozen_stages": 5}, "frozen_stages must be -1 to 4"),
        ({"multi_grid": [1, 2]}, "multi_grid needs 3 dilations"),
        ({"dcn": {"type": "DCN"}}, "stage_with_dcn: it needs 4 values, one a stage, at least one true"),
        ({"stage_with_dcn": [True] * 4}, "there is no dcn"),
        ({"dcn": {"type": "DCNv3"}, "stage_with_dcn": [True] * 4}, "unknown type 'DCNv3'.*DCNv2"),
        ({"dcn": {"type": "DCN", "groups": 2}, "stage_with_dcn": [True] * 4}, "unknown key 'groups'"),
        ({"dcn": {"type": "DCN", "deform_groups": "2"}, "stage_with_dcn": [True] * 4}, "must be of type int"),
        ({"depth": 18, "groups": 2}, "depth 18 has basic blocks, which know no groups"),
        ({"type": "Res2Net", "depth": 34}, "depth 34 has basic blocks"),
        ({"depth": 18, "dcn": {"type": "DCN"}, "stage_with_dcn": [True] * 4}, "for bottlenecks"),
        ({"scales": 0}, "scales must be at least 1"),
        ({"depth": 20}, "wrong value 20"),
        ({"in_channels": 4}, "is set by tricklab"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        backbone(**options)


def test_fewer_stages_and_other_outputs() -> None:
    model = small(num_stages=3, strides=[1, 2, 2], dilations=[1, 1, 1], out_indices=[2, 0])
    assert [tuple(x.shape) for x in model(torch.zeros(1, 3, 64, 48))] == [(1, 128, 4, 3), (1, 32, 16, 12)]
    assert not any(name.startswith("layer4") for name in model.state_dict())
