"""Published wrappings of GroupMamba's weights: bare, by entry, from data-parallel training, in both file formats."""

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.models.test_groupmamba import plain, small
from tricklab.errors import UserError
from tricklab.models.groupmamba_weights import load_weights

Weights = dict[str, torch.Tensor]


@pytest.fixture
def weights() -> Weights:
    torch.manual_seed(3)
    return plain(distillation=True).state_dict()


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
@pytest.mark.parametrize("entry", [None, "model", "state_dict", "model_ema", "state_dict_ema"])
def test_published_wrappings_load(tmp_path: Path, weights: Weights, entry: str | None, prefix: str) -> None:
    state = {prefix + name: value for name, value in weights.items()}
    torch.save(state if entry is None else {entry: state, "epoch": 299}, tmp_path / "w.pth")
    model = small(distillation=True)
    assert load_weights(model, tmp_path / "w.pth").entry == (entry or "")
    assert same(model.state_dict(), weights)


def test_safetensors_load(tmp_path: Path, weights: Weights) -> None:
    save_file(weights, tmp_path / "w.safetensors")
    model = small(distillation=True)
    assert not same(model.state_dict(), weights)
    load_weights(model, tmp_path / "w.safetensors")
    assert same(model.state_dict(), weights)


def test_averages_of_torch_load(tmp_path: Path, weights: Weights) -> None:
    source = small(distillation=True)
    source.load_state_dict(weights)
    torch.save(torch.optim.swa_utils.AveragedModel(source).state_dict(), tmp_path / "w.pth")
    model = small(distillation=True)
    load_weights(model, tmp_path / "w.pth")
    assert same(model.state_dict(), weights)


def test_averaged_weights_come_before_raw_ones_unless_asked_for(tmp_path: Path, weights: Weights) -> None:
    raw = {name: torch.zeros_like(value) for name, value in weights.items()}
    torch.save({"model": raw, "model_ema": weights}, tmp_path / "w.pth")
    model = small(distillation=True)
    assert load_weights(model, tmp_path / "w.pth").entry == "model_ema"
    assert torch.equal(model.head.weight, weights["head.weight"])
    assert load_weights(model, tmp_path / "w.pth", entry="model").entry == "model"
    assert not model.head.weight.any()
    with pytest.raises(UserError, match="'model', 'model_ema'"):
        load_weights(model, tmp_path / "w.pth", entry="best")


def test_heads_of_other_classes_stay_fresh_and_are_named(tmp_path: Path, weights: Weights) -> None:
    torch.save(weights, tmp_path / "w.pth")
    model = small(classes=3)
    head = model.head.weight.clone()
    found = load_weights(model, tmp_path / "w.pth")
    assert found.kept == ("head.bias", "head.weight")
    assert set(found.unused) == {"head.bias", "head.weight", "dist_head.bias", "dist_head.weight"}
    assert len(found.loaded) == len(weights) - 4
    assert torch.equal(model.head.weight, head)
    assert torch.equal(model.norm4.weight, weights["norm4.weight"])
    backbone = small(features=True)
    assert load_weights(backbone, tmp_path / "w.pth").kept == ()
    assert torch.equal(backbone.block4[0].attn.mamba_g3.Ds, weights["block4.0.attn.mamba_g3.Ds"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"groups": 1}, "missing|another shape"),
        ({"modulation": False}, "are unknown"),
        ({"embed_dims": [16, 32, 48, 80]}, "another shape"),
        ({"depths": [1, 2, 2, 1]}, "are missing"),
    ],
)
def test_weights_of_another_network_are_refused_and_change_nothing(
    tmp_path: Path, weights: Weights, more: dict[str, Any], message: str
) -> None:
    torch.save(weights, tmp_path / "w.pth")
    model = small(**more)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(UserError, match=message):
        load_weights(model, tmp_path / "w.pth")
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


class Options(dict):  # type: ignore[type-arg]
    """As yacs keeps a training's options: a mapping with a state of its own."""

    def __init__(self, **values: Any) -> None:
        super().__init__(values)
        self.frozen = True


def test_training_checkpoints_with_foreign_objects_load(tmp_path: Path, weights: Weights) -> None:
    options = Options(lr=1.0, model=Options(size="tiny"), list=[Options()])
    file = tmp_path / "checkpoint.pth.tar"
    torch.save({"state_dict": weights, "args": Namespace(lr=1.0), "config": options, "out": Path("x")}, file)
    model = small(distillation=True)
    assert load_weights(model, file).entry == "state_dict"
    assert same(model.state_dict(), weights)


class Wicked:
    """Unpickling it would make a folder."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.mkdir, (self.place,)


def test_nothing_that_a_file_says_is_run(tmp_path: Path, weights: Weights) -> None:
    torch.save({"state_dict": weights, "more": Wicked(str(tmp_path / "made"))}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth: this file cannot be read as tensors and plain data"):
        load_weights(small(distillation=True), tmp_path / "w.pth")
    assert not (tmp_path / "made").exists()


def test_bad_files_are_named(tmp_path: Path, weights: Weights) -> None:
    torch.save({"model": weights}, tmp_path / "whole.pth")
    (tmp_path / "torn.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:5000])
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    for name, message in {
        "torn.pth": "tensors and plain data", "list.pth": "no state dict", "empty.pth": "no state dict",
        "absent.pth": "no such file", "absent.safetensors": "no such file",
    }.items():  # fmt: skip
        with pytest.raises(UserError, match=f"{name}.*{message}"):
            load_weights(small(), tmp_path / name)
