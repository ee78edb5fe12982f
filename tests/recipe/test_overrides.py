"""key=value texts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.recipe.toys import TREE
from tricklab.errors import UserError
from tricklab.recipe import load

BASE = TREE | {
    "optimizer": {"type": "Adam", "lr": 0.001},
    "losses": [{"type": "CrossEntropyLoss", "weight": 1.0}],
    "evaluate": {"averaging": None},
    "train": {"epochs": 7},
}


@pytest.mark.parametrize(
    ("texts", "path", "value"),
    [
        (["optimizer.lr=1e-4"], "optimizer.lr", 1e-4),
        (["seed=010"], "seed", 10),
        (["data.root="], "data.root", None),
        (["data.root=a=b"], "data.root", "a=b"),
        (["train.validate_every=null"], "train.validate_every", None),
        (["data.ignore=[0, 255]"], "data.ignore", [0, 255]),
        (["losses.0.weight=2"], "losses", [{"type": "CrossEntropyLoss", "weight": 2}]),
        (["losses.1={type: DiceLoss}"], "losses.1", {"type": "DiceLoss"}),
        (["losses.1.type=DiceLoss", "losses.1.on=aux"], "losses.1", {"type": "DiceLoss", "on": "aux"}),
        (["schedule.0.type=Cosine"], "schedule", [{"type": "Cosine"}]),
        (["optimizer.type=SGD", "optimizer.lr=0.1"], "optimizer", {"type": "SGD", "lr": 0.1}),
        (["optimizer.lr=0.1", "optimizer.type=SGD"], "optimizer", {"type": "SGD", "lr": 0.1}),
        (["optimizer.type=SGD"], "optimizer", {"type": "SGD"}),
        (["optimizer={type: Adam, lr: 2}"], "optimizer", {"type": "Adam", "lr": 2}),
        (["model=ToyTree"], "model", {"type": "ToyTree"}),
        (["model=ToyTree", "model.depth=2"], "model", {"type": "ToyTree", "depth": 2}),
        (["model.depth=2", "model=ToyTree"], "model", {"type": "ToyTree", "depth": 2}),
        (["evaluate.averaging.type=Ema"], "evaluate.averaging", {"type": "Ema"}),
        (["data.class_names.1=corn"], "data.class_names", {1: "corn"}),
        (['custom."layer1.conv".lr=1'], "custom", {"layer1.conv": {"lr": 1}}),
        ([r'custom."a\"b".lr=1'], "custom", {'a"b': {"lr": 1}}),
        (['custom."".lr=1'], "custom", {"": {"lr": 1}}),
        (["train.samples=null"], "train", {"epochs": 7, "samples": None}),
        (["train.samples=64"], "train", {"samples": 64}),
        (["train.samples=64", "train.epochs=null"], "train", {"samples": 64, "epochs": None}),
    ],
)
def test_overrides(texts: list[str], path: str, value: Any) -> None:
    assert load(BASE, texts).get(path) == value


def test_numbers_take_the_place_of_a_named_normalisation() -> None:
    base = {"task": "classification", "data": {"normalise": "dataset"}}
    recipe = load(base, ["data.normalise={mean: [0.5], std: [0.2]}"])
    assert recipe.get("data.normalise") == {"mean": [0.5], "std": [0.2]}


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        (["epochs"], "is not an override"),
        (["=3"], "is not an override"),
        (["a..b=3"], "is not a path"),
        (["seed=1", "seed=2"], "seed is given twice"),
        (["losses.3.weight=2"], "has no item '3'"),
        (["losses.weight=2"], "has no item 'weight'"),
        (["base=other.yaml"], "cannot be overridden"),
        (["tricks=[se]"], "cannot be overridden"),
        (["seed=[1"], "not readable as YAML"),
        (["seed={a: 1, a: 2}"], "stands twice"),
        ([f"losses.{'9' * 5000}.weight=2"], "has no item"),
        (["seed=0x" + "f" * 5000], "not a number"),
        (["seed=" + "9" * 5000], "not a number"),
    ],
)
def test_bad_overrides(texts: list[str], what: str) -> None:
    with pytest.raises(UserError, match="command line") as caught:
        load(BASE, texts)
    assert what in caught.value.what


def test_the_fix_shows_how_to_reach_a_list_item() -> None:
    with pytest.raises(UserError, match=r"write losses\.0\.weight"):
        load(BASE, ["losses.weight=2"])


def test_a_silent_recipe_has_the_defaults_below_its_overrides() -> None:
    silent = load(TREE, ["losses.0.weight=2", "optimizer.lr=0.1", "evaluate.postprocess.0.type=FlipRotateTTA"])
    assert silent.get("losses") == [{"type": "CrossEntropyLoss", "on": "main", "weight": 2}]
    assert silent.get("optimizer") == {"type": "Adam", "lr": 0.1}
    assert silent.get("evaluate") == {"postprocess": [{"type": "FlipRotateTTA"}]}
    assert silent.origin("losses.0.type").text == "default"
