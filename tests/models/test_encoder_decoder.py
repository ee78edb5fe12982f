"""EncoderDecoder: published counts, OpenMMLab's names, outputs, first weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from tricklab import registry
from tricklab.errors import UserError
from tricklab.models.initial_weights import remembered
from tricklab.optim.layer_numbers import classifier_parameters, layer_numbers

D8 = {"strides": [1, 2, 1, 1], "dilations": [1, 1, 2, 4]}
AUXILIARY = {"type": "FCNHead", "channels": 256, "in_index": 2, "num_convs": 1, "concat_input": False}
TINY = {"type": "ResNetV1c", "depth": 18, "base_channels": 8, "stem_channels": 8}
HEAD = {"type": "FCNHead", "channels": 8}
SMALL_AUXILIARY = {"type": "FCNHead", "channels": 4, "in_index": 2, "num_convs": 1, "concat_input": False}


def network(backbone: Any = TINY, head: Any = HEAD, auxiliary: Any = None, classes: int = 4, **options: Any) -> Any:
    config = {"type": "EncoderDecoder", "backbone": backbone, "decode_head": head, "auxiliary_head": auxiliary}
    return registry.build("model", {**config, **options}, classes=classes, channels=3)


def millions(model: nn.Module | None) -> float:
    return round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 3) if model is not None else 0.0


@pytest.mark.parametrize(
    ("backbone", "head", "auxiliary", "classes", "published"),
    [
        # OpenMMLab's Cityscapes and DRIVE configs; the others from SegFormer's table 2 (150 classes) and UPerNet's
        (
            {"type": "ResNetV1c", "depth": 50, **D8},
            {"type": "PSPHead", "channels": 512},
            AUXILIARY,
            19,
            (48.975, 2.365),
        ),
        (
            {"type": "UNet"},
            {"type": "FCNHead", "channels": 64, "num_convs": 1, "concat_input": False, "in_index": 4},
            {**AUXILIARY, "channels": 64, "in_index": 3},
            2,
            (29.061, 0.074),
        ),
        (
            {"type": "ResNetV1c", "depth": 101, **D8},
            {"type": "PSPHead", "channels": 512},
            AUXILIARY,
            150,
            (68.068, 2.398),
        ),
        (
            {"type": "ResNetV1c", "depth": 101, **D8},
            {"type": "FCNHead", "channels": 512},
            AUXILIARY,
            150,
            (68.591, 2.398),
        ),
        (
            {"type": "ResNetV1c", "depth": 101, **D8},
            {
                "type": "DepthwiseSeparableASPPHead",
                "channels": 512,
                "c1_channels": 48,
                "dilations": [1, 12, 24, 36],
            },
            AUXILIARY,
            150,
            (62.683, 2.398),
        ),
        ({"type": "ResNetV1c", "depth": 50}, {"type": "UPerHead", "channels": 512}, AUXILIARY, 150, (66.516, 2.398)),
        ({"type": "GroupMamba"}, {"type": "UPerHead", "channels": 512}, None, 150, (49.762, 0.0)),
    ],
    ids=["pspnet", "fcn-unet", "pspnet-101", "fcn-101", "deeplabv3plus-101", "upernet-50", "upernet-groupmamba"],
)
def test_parameters_are_the_published_ones(
    backbone: Any, head: Any, auxiliary: Any, classes: int, published: tuple[float, float]
) -> None:
    with torch.device("meta"):  # shapes alone
        model = network(backbone, head, auxiliary, classes)
    assert (millions(model), millions(model.auxiliary_head)) == published


def test_outputs_have_the_size_of_the_input_and_auxiliary_ones_are_for_training() -> None:
    model = network(auxiliary=[SMALL_AUXILIARY, {**SMALL_AUXILIARY, "in_index": 1}])
    images = torch.randn(2, 3, 37, 50)
    assert {name: tuple(x.shape) for name, x in model(images).items()} == dict.fromkeys(
        ["main", "aux", "aux2"], (2, 4, 37, 50)
    )
    model.eval()
    found = model(images)
    assert list(found) == ["main"]
    maps = model.backbone(images)
    expected = functional.interpolate(model.decode_head(maps), (37, 50), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found["main"], expected)


def test_corners_are_aligned_where_the_head_says_so() -> None:
    torch.manual_seed(0)
    model = network(head={**HEAD, "align_corners": True}).eval()
    images = torch.randn(1, 3, 64, 64)
    expected = functional.interpolate(
        model.decode_head(model.backbone(images)), (64, 64), mode="bilinear", align_corners=True
    )
    torch.testing.assert_close(model(images)["main"], expected)


def test_names_are_openmmlabs() -> None:
    one = network(auxiliary=SMALL_AUXILIARY).state_dict()
    assert {name.split(".")[0] for name in one} == {"backbone", "decode_head", "auxiliary_head"}
    assert {name for name in one if name.startswith("auxiliary_head")} == {
        "auxiliary_head.conv_seg.weight", "auxiliary_head.conv_seg.bias", "auxiliary_head.convs.0.conv.weight", *(
            f"auxiliary_head.convs.0.bn.{part}"
            for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        ),
    }  # fmt: skip
    several = network(auxiliary=[SMALL_AUXILIARY]).state_dict()
    assert "auxiliary_head.0.convs.0.conv.weight" in several


def test_an_auxiliary_head_leaves_the_other_weights_as_they_are() -> None:
    found = []
    for auxiliary in (None, SMALL_AUXILIARY):
        torch.manual_seed(3)
        found.append((network(auxiliary=auxiliary).state_dict(), torch.rand(4)))
    (without, after), (with_one, after_one) = found
    assert all(torch.equal(tensor, with_one[name]) for name, tensor in without.items())
    assert torch.equal(after, after_one)


def test_one_channel_for_two_classes() -> None:
    model = network(head={**HEAD, "out_channels": 1}, classes=2)
    assert model(torch.randn(2, 3, 32, 32))["main"].shape == (2, 1, 32, 32)
    with pytest.raises(UserError, match=r"model\.decode_head\.out_channels: out_channels must be the number"):
        network(head={**HEAD, "out_channels": 1}, classes=3)


def test_the_classifiers_are_the_last_convolutions_and_the_backbone_has_its_layers() -> None:
    model = network(auxiliary=SMALL_AUXILIARY)
    assert classifier_parameters(model) == [
        f"{head}.conv_seg.{kind}" for head in ("decode_head", "auxiliary_head") for kind in ("weight", "bias")
    ]
    layers = layer_numbers(model)
    assert layers["backbone.stem.0.weight"] == 0
    assert layers["backbone.layer4.1.conv2.weight"] == 8
    assert layers["decode_head.conv_seg.weight"] == 9


def test_scores_begin_near_equal() -> None:
    torch.manual_seed(0)
    logits = network(classes=5)(torch.randn(2, 3, 64, 64))["main"]
    loss = functional.cross_entropy(logits, torch.randint(5, (2, 64, 64)))
    assert abs(loss.item() - torch.tensor(5.0).log().item()) < 0.05


def test_every_parameter_learns() -> None:
    model = network({**TINY, "zero_init_residual": False}, auxiliary=SMALL_AUXILIARY)
    found = model(torch.randn(2, 3, 64, 64))
    target = torch.randint(4, (2, 64, 64))
    sum(functional.cross_entropy(logits, target) for logits in found.values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_weights_of_another_number_of_classes_keep_the_fresh_classifiers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = network(auxiliary=SMALL_AUXILIARY, classes=7).state_dict()
    torch.save({"meta": {"epoch": 3}, "state_dict": source}, tmp_path / "pspnet.pth")
    model = network(auxiliary=SMALL_AUXILIARY, weights=str(tmp_path / "pspnet.pth"))
    fresh = {name for name in source if ".conv_seg." in name}
    own = model.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in source.items() if name not in fresh)
    taken = remembered(model)
    assert taken is not None
    assert set(taken.kept) == fresh
    with pytest.raises(UserError, match=r"have another shape|are missing|are unknown"):
        network(head={**HEAD, "channels": 12}, weights=str(tmp_path / "pspnet.pth"))


def test_weights_of_a_classification_network_begin_the_backbone(tmp_path: Path) -> None:
    source = {name: tensor for name, tensor in network().state_dict().items() if name.startswith("backbone.")}
    torch.save({"state_dict": {**source, "head.fc.weight": torch.zeros(7, 64)}}, tmp_path / "resnet.pth")
    model = network(weights=str(tmp_path / "resnet.pth"))
    own = model.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in source.items())
    taken = remembered(model)
    assert taken is not None
    assert all(name.startswith("decode_head.") for name in taken.kept)
    assert taken.unused == ("head.fc.weight",)


def test_first_weights_of_the_backbone_are_remembered_under_their_full_names(tmp_path: Path) -> None:
    source = registry.build("backbone", TINY, in_channels=3).state_dict()
    torch.save(source, tmp_path / "backbone.pth")
    taken = remembered(network({**TINY, "weights": str(tmp_path / "backbone.pth")}))
    assert taken is not None
    assert set(taken.loaded) == {f"backbone.{name}" for name in source}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": {**HEAD, "in_index": 4}}, r"model\.decode_head\.in_index: the backbone gives 4 maps"),
        ({"head": {**HEAD, "in_index": [0, 1]}}, r"in_index \[0, 1\] does not go with input_transform None"),
        ({"head": {**HEAD, "dropout_ratio": 1.0}}, r"model\.decode_head\.dropout_ratio"),
        ({"head": {**HEAD, "num_classes": 4}}, "'num_classes' of FCNHead is set by tricklab"),
        ({"head": {**HEAD, "loss_decode": {}}}, "unknown key 'loss_decode' of FCNHead"),
        ({"auxiliary": [HEAD, {"type": "FCN"}]}, r"auxiliary_head\.1\.type: unknown head 'FCN'"),
        ({"backbone": {**TINY, "strides": [1]}}, r"model\.backbone\.strides"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        network(**options)


def test_images_of_other_channels_are_refused() -> None:
    with pytest.raises(UserError, match=r"\(N, 3, H, W\), but is given \(1, 4, 32, 32\)"):
        network()(torch.zeros(1, 4, 32, 32))
