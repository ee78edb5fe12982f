"""Where a network looks: on networks that look where they were told to."""

from __future__ import annotations

import captum.attr
import pytest
import timm
import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.inference.grad_cam import choose_layer, grad_cam
from tricklab.models.groupmamba import GroupMamba


class Colours(nn.Module):
    """Class k is how much of colour k there is; the last convolution keeps the three colours apart."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self.layout = layout
        self.convolution = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        nn.init.dirac_(self.convolution.weight)
        self.cells = nn.Identity()
        self.output_fmt = "NHWC" if layout == "last" else "NCHW"

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        found = torch.relu_(self.convolution(images))
        if self.layout == "tokens":
            return {"main": self.cells(found.flatten(2).transpose(1, 2)).mean(1)}
        if self.layout == "last":
            return {"main": self.cells(found.permute(0, 2, 3, 1)).mean((1, 2))}
        return {"main": self.cells(found).mean((2, 3))}


def squares() -> torch.Tensor:
    """A red square above on the left, a green one below on the right, in a wide image."""
    image = torch.zeros(1, 3, 12, 20)
    image[0, 0, 1:5, 2:6] = 1.0
    image[0, 1, 7:11, 13:18] = 1.0
    return image


@pytest.mark.parametrize("layout", ["first", "last", "tokens"])
def test_a_classs_region_is_where_its_colour_is(layout: str) -> None:
    model = Colours(layout).eval()
    images = squares().expand(2, -1, -1, -1)
    found = grad_cam(model, images, torch.tensor([0, 1]), "cells")
    assert found.cells == (12, 20)
    for number in (0, 1):
        assert torch.equal(found.maps[number] > 0.5, images[0, number] > 0.5)
        assert found.maps[number].max() == 1
    assert grad_cam(model, images, torch.tensor([2, 2]), "cells").maps.max() == 0


def test_it_is_captums_map() -> None:
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", num_classes=5).eval()
    images, classes = torch.randn(2, 3, 64, 48), torch.tensor([3, 1])
    oracle = captum.attr.LayerGradCam(model, model.layer3).attribute(images, classes, relu_attributions=True)
    oracle = captum.attr.LayerAttribution.interpolate(oracle, (64, 48), "bilinear")[:, 0].detach()
    model.register_forward_hook(lambda _, __, output: {"main": output})
    found = grad_cam(model, images, classes, "layer3")
    torch.testing.assert_close(found.maps, oracle / oracle.amax(dim=(1, 2), keepdim=True), atol=1e-5, rtol=1e-4)
    assert found.cells == (4, 3)


def named(name: str) -> nn.Module:
    model = timm.create_model(name, num_classes=3, **({"img_size": 64} if "tiny" in name else {})).eval()
    model.register_forward_hook(lambda _, __, output: {"main": output})
    return model


@pytest.mark.parametrize(
    ("name", "size", "layer", "cells"),
    [
        ("resnet10t", 64, "layer2", (8, 8)),
        ("resnet10t", 224, "layer4", (7, 7)),
        ("resnet10t", 16, "layer1", (4, 4)),
        ("vit_tiny_patch16_224", 64, "blocks.11.norm1", (4, 4)),
    ],
)
def test_the_layer_is_the_deepest_that_is_fine_enough(name: str, size: int, layer: str, cells: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model, images = named(name), torch.randn(1, 3, size, size)
    found = grad_cam(model, images, torch.tensor([0]))
    if name == "resnet10t" and size == 16:
        assert found.cells >= cells
    else:
        assert (found.layer, found.cells) == (layer, cells)
    assert found.maps.shape == (1, size, size)
    assert found.maps.max() == 1


def test_groupmambas_tokens_are_maps_too() -> None:
    torch.manual_seed(0)
    model = GroupMamba(embed_dims=[16, 16, 32, 32], depths=[1, 1, 2, 1], classes=3).eval()
    images = torch.randn(2, 3, 64, 96)
    assert choose_layer(model, images) == "block2.0"
    found = grad_cam(model, images, torch.tensor([0, 2]), "block3.1")
    assert found.cells == (4, 6)
    assert found.maps.amax(dim=(1, 2)).tolist() == [1, 1]


def test_what_is_no_map_is_refused() -> None:
    model = named("resnet10t")
    images, classes = torch.randn(1, 3, 32, 32), torch.tensor([0])
    for layer, message in (("layr4", "no module named 'layr4'.*layer4"), ("fc", "no map of the image")):
        with pytest.raises(UserError, match=message):
            grad_cam(model, images, classes, layer)
