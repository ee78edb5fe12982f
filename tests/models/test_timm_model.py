"""Models of timm: names, weights, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tricklab import registry
from tricklab.errors import UserError
from tricklab.models.initial_weights import remembered, skipping_initial_weights

NAME = "resnet10t"


def build(**keys: Any) -> torch.nn.Module:
    model: torch.nn.Module = registry.build("model", {"type": "timm", "name": NAME, **keys}, classes=4, channels=3)
    return model


def test_it_is_timms_own_network_under_its_own_names() -> None:
    import timm

    torch.manual_seed(0)
    ours = build().eval()
    theirs = timm.create_model(NAME, num_classes=4).eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(ours(images)["main"], theirs(images), rtol=0, atol=0)


def test_weights_of_another_number_of_classes_keep_the_fresh_classifier(tmp_path: Path) -> None:
    import timm

    source = timm.create_model(NAME, num_classes=7)
    file = tmp_path / "w.safetensors"
    save_file(source.state_dict(), file)
    found = build(weights=str(file)).state_dict()
    for name, value in source.state_dict().items():
        assert name.startswith("fc.") or torch.equal(found[name], value), name
    taken = remembered(build(weights=str(file)))
    assert taken is not None
    assert (taken.kept, len(taken.loaded)) == (("fc.bias", "fc.weight"), len(found) - 2)
    plain = tmp_path / "w.pth"
    torch.save({"state_dict": {f"module.{key}": value for key, value in source.state_dict().items()}}, plain)
    again = build(weights=str(plain)).state_dict()
    assert all(torch.equal(again[name], found[name]) for name in found if not name.startswith("fc."))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"name": "resnet10"}, "has no model 'resnet10'.*resnet10t"),
        ({"weights": "none.safetensors"}, "none.safetensors"),
        ({"weights": "x.pth", "pretrained": True}, "not both"),
        ({"arguments": {"no_such": 1}}, "no_such"),
    ],
)
def test_bad_input_is_one_error(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(**keys)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file({"conv1.weight": torch.zeros(1)}, file)
    with pytest.raises(UserError, match="weights are missing, the first"):
        build(weights=str(file))


def test_without_network_the_error_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own client, kept from the network, before an empty cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"neither in the hub's cache.*weights: FILE") as caught:
        build(pretrained=True)
    assert "\n" not in str(caught.value)


def test_weights_that_are_overwritten_at_once_are_not_looked_for(tmp_path: Path) -> None:
    with skipping_initial_weights():
        model = build(pretrained=True)
    assert remembered(model) is None
