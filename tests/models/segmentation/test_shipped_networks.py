"""The network of every shipped recipe of masks: a training step and an ONNX file at odd sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from tricklab import registry
from tricklab.inference.exporting import TOLERANCE, Deployed, export
from tricklab.recipe import load, shipped

SIZE = (81, 67)
CLASSES = 5
RECIPES = [name for name in shipped() if load(name).get("task") == "segmentation"]


def test_there_are_some() -> None:
    assert {"camvid-fcn-r18", "camvid-pspnet-r50", "drive-unet"} <= set(RECIPES)


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = registry.build("model", load(name).get("model"), classes=CLASSES, channels=3)
    return network


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_it_trains_at_odd_sizes(name: str) -> None:
    network, recipe = built(name).train(), load(name)
    images, target = torch.randn(2, 3, *SIZE), torch.randint(0, CLASSES, (2, *SIZE))
    before = {key: weight.detach().clone() for key, weight in network.named_parameters()}
    outputs = network(images)
    read = {loss["on"] for loss in recipe.get("losses")}
    assert set(outputs) == read
    assert all(logits.shape == (2, CLASSES, *SIZE) for logits in outputs.values())
    torch.stack([functional.cross_entropy(outputs[which], target) for which in sorted(read)]).sum().backward()
    torch.optim.SGD(network.parameters(), lr=0.01).step()
    still = [
        key
        for key, weight in network.named_parameters()
        if not weight.isfinite().all() or torch.equal(weight, before[key])
    ]
    # what a normalisation that begins at zero stands before learns from the second step on
    assert all(".layer" in key for key in still)
    assert any(key.startswith("backbone") for key in set(before) - set(still))
    assert set(network.eval()(images)) == {"main"}


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_its_onnx_file_gives_the_same_at_odd_sizes(name: str, tmp_path: Path) -> None:
    network = built(name).eval()
    found = export(Deployed(network, None), SIZE, tmp_path / "network.onnx", "onnx", {"classes": CLASSES})
    assert found <= TOLERANCE
