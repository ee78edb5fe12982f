"""What published weights say of the images that they were trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tricklab import registry
from tricklab.errors import UserError
from tricklab.models.network_input import network_input


@pytest.mark.parametrize(
    ("name", "mean", "size"),
    [
        ("resnet10t", (0.485, 0.456, 0.406), (176, 176)),
        ("vit_tiny_patch16_224", (0.5, 0.5, 0.5), (224, 224)),
        ("vit_base_patch16_clip_224.openai", (0.48145466, 0.4578275, 0.40821073), (224, 224)),
    ],
)
def test_timms_networks_have_it_in_their_published_settings(
    name: str, mean: tuple[float, ...], size: tuple[int, int]
) -> None:
    found = network_input({"type": "timm", "name": name}, "data.normalise")
    assert (found.mean, found.size) == (mean, size)
    assert found.source.startswith(f"timm {name.partition('.')[0]}.")


@pytest.mark.parametrize("kind", ["GroupMamba", "EfficientMod"])
def test_networks_trained_on_imagenet(kind: str) -> None:
    registry.load("model", kind)
    found = network_input({"type": kind}, "data.normalise")
    assert (found.mean, found.std, found.size) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), (224, 224))


def test_a_network_of_ones_own_may_say_it(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "class Net:\n    default_cfg = {'mean': (0.1, 0.2, 0.3), 'std': [1, 1, 1], 'input_size': (3, 32, 48)}\n\n\n"
        "class Grey:\n    default_cfg = {'mean': [0.5], 'std': [0.5], 'input_size': (1, 28, 28)}\n\n\n"
        "class Half:\n    default_cfg = {'mean': (0.1, 0.2, 0.3)}\n\n\nclass Silent:\n    pass\n"
    )
    found = network_input({"type": "module", "target": f"{file}:Net"}, "data.size")
    assert (found.mean, found.std, found.size) == ((0.1, 0.2, 0.3), (1.0, 1.0, 1.0), (32, 48))
    for name, message in {
        "Grey": "net.py:Grey is for images of 1 channels, not 3",
        "Half": "the default_cfg of net.py:Half lacks or garbles 'std'",
        "Silent": "net.py:Silent has no default_cfg",
    }.items():
        with pytest.raises(UserError, match=f"^data.size: {message}"):
            network_input({"type": "module", "target": f"{file}:{name}"}, "data.size")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"type": "timm", "name": "resnetblur18"}, "timm has no weights of resnetblur18, so there is nothing"),
        ({"type": "timm", "name": "resnet10"}, "has no model 'resnet10'"),
        ({"type": "PixelSVM"}, "PixelSVM has no default_cfg.*take dataset, imagenet or"),
    ],
)
def test_networks_without_published_weights_are_refused(model: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        network_input(model, "data.normalise")
