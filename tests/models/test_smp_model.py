"""Networks of segmentation-models-pytorch, where the package is there."""

from __future__ import annotations

import importlib.util
import sys
import types
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


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("activation", "softmax", "a second time"), ("aux_params", {"classes": 3}, "trained by nothing")],
)
def test_what_gives_no_scores_is_refused(monkeypatch: pytest.MonkeyPatch, key: str, value: Any, message: str) -> None:
    class Unet:
        def __init__(self, encoder_name: str, activation: str | None = None, aux_params: Any = None) -> None:
            raise AssertionError("it is refused before it is built")

    package = types.ModuleType(PACKAGE)
    package.MODEL_ARCHITECTURES_MAPPING = {"unet": Unet}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, PACKAGE, package)
    with pytest.raises(UserError, match=rf"model\.arguments\.{key}: .*{message}"):
        network(arguments={key: value})


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
