"""timm's networks and GroupMamba as backbones."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

from tricklab import registry
from tricklab.errors import UserError


def timm_backbone(name: str, **options: Any) -> Any:
    return registry.build("backbone", {"type": "TIMMBackbone", "model_name": name, **options}, in_channels=3)


def test_timms_maps_are_timms() -> None:
    model = timm_backbone("resnet10t", out_indices=[1, 2, 3, 4]).eval()
    assert all(name.startswith("timm_model.") for name in model.state_dict())
    reference: Any = timm.create_model("resnet10t", features_only=True, out_indices=(1, 2, 3, 4)).eval()
    reference.load_state_dict(model.timm_model.state_dict())
    images = torch.randn(1, 3, 40, 33)
    for one, other in zip(model(images), reference(images), strict=True):
        assert torch.equal(one, other)
    assert (model.channels, model.strides) == ((64, 128, 256, 512), (4, 8, 16, 32))


def test_an_output_stride_dilates() -> None:
    model = timm_backbone("resnet10t", output_stride=8, out_indices=[4])
    assert [tuple(x.shape) for x in model(torch.zeros(1, 3, 64, 64))] == [(1, 512, 8, 8)]


def test_networks_that_keep_channels_last_give_channels_first() -> None:
    options = {"img_size": 32, "embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1), "window_size": 4}
    model = timm_backbone("swin_tiny_patch4_window7_224", arguments=options).eval()
    assert [tuple(x.shape) for x in model(torch.zeros(1, 3, 32, 32))] == [
        (1, 16, 8, 8),
        (1, 32, 4, 4),
        (1, 64, 2, 2),
        (1, 128, 1, 1),
    ]


def test_a_map_with_as_many_channels_as_rows_and_columns_is_not_taken_for_channels_first() -> None:
    """Such as the first one of Swin-T at 384 pixels, 96 × 96 × 96."""
    options = {"img_size": 32, "embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1), "window_size": 4}
    model = timm_backbone("swin_tiny_patch4_window7_224", arguments=options).eval()
    images = torch.randn(1, 3, 32, 32)
    first, given = model(images)[0], model.timm_model(images)[0]
    assert given.shape == (1, 8, 8, 8)
    assert torch.equal(first, given.permute(0, 3, 1, 2))
    plain = timm_backbone("convnext_atto", arguments={"dims": (8, 16, 16, 16), "depths": (1, 1, 1, 1)}).eval()
    assert plain(images)[0].shape == (1, 8, 8, 8)
    assert torch.equal(plain(images)[0], plain.timm_model(images)[0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet10", {}, "timm .* has no model 'resnet10'"),
        ("resnet10t", {"out_indices": [7]}, "cannot build resnet10t as a backbone"),
        ("resnet10t", {"arguments": {"depth": 3}}, "cannot build resnet10t as a backbone"),
    ],
)
def test_what_timm_has_not_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        timm_backbone(name, **options)


def test_groupmambas_maps_are_its_pyramid_under_its_own_names() -> None:
    sizes = {"embed_dims": [16, 16, 32, 32], "depths": [1, 1, 1, 1], "stem_hidden_dim": 8}
    torch.manual_seed(0)
    model = registry.build("backbone", {"type": "GroupMamba", **sizes}, in_channels=3).eval()
    torch.manual_seed(0)
    whole = registry.build("model", {"type": "GroupMamba", "features": True, **sizes}, classes=2, channels=3).eval()
    assert list(model.state_dict()) == list(whole.state_dict())
    images = torch.randn(1, 3, 40, 33)
    with torch.no_grad():
        found, expected = model(images), whole(images)
    assert [x.shape[1] for x in found] == list(model.channels)
    for one, other in zip(found, expected.values(), strict=True):
        assert torch.equal(one, other)


def test_groupmambas_classification_weights_begin_the_backbone(tmp_path: Any) -> None:
    sizes = {"embed_dims": [16, 16, 32, 32], "depths": [1, 1, 1, 1], "stem_hidden_dim": 8}
    source = registry.build("model", {"type": "GroupMamba", **sizes}, classes=5, channels=3).state_dict()
    torch.save(source, tmp_path / "g.pth")
    config = {"type": "GroupMamba", **sizes, "weights": str(tmp_path / "g.pth")}
    own = registry.build("backbone", config, in_channels=3).state_dict()
    assert len(own) < len(source)
    assert all(torch.equal(tensor, source[name]) for name, tensor in own.items())
