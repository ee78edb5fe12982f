"""Networks of segmentation-models-pytorch, where the package is there."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest
import torch

from tricklab import registry
from tricklab.errors import UserError

PACKAGE = "segmentation_models_pytorch"
present = pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason="the extra smp is not installed")


def network(name: str = "Unet", **options: Any) -> Any:
    config = {"type": "smp", "name": name, "encoder_name": "resnet18", **options}
    return registry.build("model", config, classes=3, channels=4)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(UserError, match=r"not there.*tricklab\[smp\]"):
        network()


@present
@pytest.mark.parametrize("name", ["Unet", "FPN", "DeepLabV3Plus"])
def test_scores_have_the_size_of_the_image(name: str) -> None:
    model = network(name).eval()
    assert model(torch.zeros(1, 4, 45, 70))["main"].shape == (1, 3, 45, 70)
    images = torch.randn(1, 4, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(images)["main"], model.network(images))


@present
def test_what_the_package_has_not_is_refused() -> None:
    with pytest.raises(UserError, match=r"has no network 'UNet'.*Unet"):
        network("UNet")
    with pytest.raises(UserError, match="cannot build Unet on resnet19"):
        network(encoder_name="resnet19")
    with pytest.raises(UserError, match=r"Unet has no argument 'decoder_depth'.*encoder_depth"):
        network(arguments={"decoder_depth": 3})
