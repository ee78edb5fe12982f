"""Networks of a user's own: what they are given, what they may return, what is said when they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tricklab import registry
from tricklab.errors import UserError
from tricklab.models.initial_weights import remembered
from tricklab.models.insert import apply_inserts
from tricklab.recipe import load, resolve
from tricklab.seeds import aside

CODE = """
from torch import nn
import torch


class Net(nn.Module):
    def __init__(self, num_classes, in_chans=3, width=8, bad=None):
        super().__init__()
        if bad == "value":
            raise ValueError("a width\\nof eight")
        self.bad = bad
        self.conv = nn.Conv2d(in_chans, width, 3)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x):
        y = self.fc(self.conv(x).mean((2, 3)))
        named = {"main": y, "aux": 2 * y}
        bad = {"tuple": (y, y), "list": [y], "dict": {"out": y}, "map": y[:, :, None]}
        return bad.get(self.bad, named if self.bad == "named" else y)


def sized(n_classes, img_size, channels):
    net = nn.Sequential(nn.Flatten(), nn.LazyLinear(n_classes))
    net(torch.zeros(1, channels, *(img_size if isinstance(img_size, tuple) else (img_size, img_size))))
    return net


def no_network(**options):
    return options


KEPT = nn.Linear(2, 4)


def same():
    return KEPT
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "net.py"
    place.write_text(CODE)
    return place


def build(file: Path | str, name: str = "Net", size: tuple[int, int] = (9, 9), **more: Any) -> nn.Module:
    config = {"type": "module", "target": f"{file}:{name}", **more}
    found: nn.Module = registry.build("model", config, classes=4, channels=3, size=size)
    return found


def test_a_class_of_a_file_is_given_what_its_signature_has(file: Path) -> None:
    model = build(file, arguments={"width": 5})
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == {
        "conv.weight": (5, 3, 3, 3), "conv.bias": (5,), "fc.weight": (4, 5), "fc.bias": (4,),
    }  # fmt: skip
    assert model(torch.zeros(2, 3, 9, 9))["main"].shape == (2, 4)
    assert set(build(file, arguments={"bad": "named"})(torch.zeros(2, 3, 9, 9))) == {"main", "aux"}


@pytest.mark.parametrize("size", [(9, 9), (9, 6)])
def test_a_function_may_ask_for_the_size(file: Path, size: tuple[int, int]) -> None:
    model = build(file, "sized", size)
    assert model[1].in_features == 3 * size[0] * size[1]  # type: ignore[index, union-attr]
    assert model(torch.zeros(2, 3, *size))["main"].shape == (2, 4)


def test_a_dotted_name_and_classes_hidden_in_keywords() -> None:
    images = torch.zeros(2, 3, 32, 32)
    model = build("torchvision.models", "squeezenet1_1", arguments={"num_classes": 4})
    assert model.eval()(images)["main"].shape == (2, 4)
    with pytest.raises(UserError, match=r"squeezenet1_1 gives scores of shape \(2, 1000\) for 4 classes.*arguments"):
        build("torchvision.models", "squeezenet1_1")(images)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("tuple", r"returned a tuple of 2: a tensor \(2, 4\), a tensor \(2, 4\)"),
        ("list", "returned a list of 1"),
        ("dict", "returned a dict with the keys 'out'"),
        ("map", r"scores of shape \(2, 4, 1\)"),
    ],
)
def test_other_outputs_are_named(file: Path, bad: str, message: str) -> None:
    with pytest.raises(UserError, match=f"net.py:Net {'gives ' if bad == 'map' else ''}{message}"):
        build(file, arguments={"bad": bad})(torch.zeros(2, 3, 9, 9))


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        ("Nat", {}, "has no 'Nat'. did you mean 'Net'?"),
        ("torch.__version__", {}, "not a class or function"),
        ("no_network", {}, "gives a dict, not an nn.Module"),
        ("Net", {"wide": 3}, r"model.arguments.*unexpected keyword argument 'wide'. its parameters are num_classes"),
        ("Net", {"bad": "value"}, r"net.py:10: building net.py:Net failed: ValueError: a width of eight"),
    ],
)
def test_what_cannot_be_built_is_one_line(file: Path, target: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        build(file, target, arguments=arguments)
    assert "\n" not in str(caught.value)


def test_a_target_without_a_class_and_a_network_that_is_given_twice(file: Path) -> None:
    with pytest.raises(UserError, match=r"names no class. write file.py:Class"):
        registry.check("model", {"type": "module", "target": str(file)})
    build(file, "same")
    with pytest.raises(UserError, match="the same network again"):
        build(file, "same")


def test_weights_of_other_classes_keep_the_fresh_classifier(file: Path, tmp_path: Path) -> None:
    source = build(file).state_dict()
    other = {**source, "fc.weight": torch.zeros(7, 8), "fc.bias": torch.zeros(7)}
    torch.save({"state_dict_ema": {f"module.{key}": value for key, value in other.items()}}, tmp_path / "w.pth")
    model = build(file, weights=str(tmp_path / "w.pth"))
    assert torch.equal(model.state_dict()["conv.weight"], source["conv.weight"])
    taken = remembered(model)
    assert taken is not None
    assert (taken.entry, taken.loaded, taken.kept) == (
        "state_dict_ema", ("conv.weight", "conv.bias"), ("fc.bias", "fc.weight"),
    )  # fmt: skip
    with pytest.raises(UserError, match=r"another shape, the first is 'conv.weight'"):
        build(file, arguments={"width": 5}, weights=str(tmp_path / "w.pth"))


def test_blocks_are_inserted_and_names_stay(file: Path) -> None:
    model = build(file)
    before = set(model.state_dict())
    apply_inserts(model, [{"type": "SE", "after": "conv", "reduction": 2}], aside)
    assert before < set(model.state_dict())
    assert model(torch.zeros(2, 3, 9, 9))["main"].shape == (2, 4)


def recipe_of(folder: Path, text: str = "net.py:Net", **more: str) -> Path:
    place = folder / "r.yaml"
    keys = "".join(f", {key}: {value}" for key, value in more.items())
    place.write_text(
        "task: classification\ndata: {images: {type: SyntheticImages}}\n"
        f"model: {{type: module, target: {text}{keys}}}\n"
    )
    return place


def test_paths_are_relative_to_the_recipe_and_no_part_of_its_identity(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = resolve(load(recipe_of(tmp_path)))
    assert recipe.get("model.target") == f"{file}:Net"
    other = tmp_path / "other"
    other.mkdir()
    (other / "net.py").write_text(CODE)
    moved = resolve(load(recipe_of(other)))
    assert moved.digest("fit") == recipe.digest("fit")
    monkeypatch.chdir(other)
    assert resolve(load(recipe_of(tmp_path), ["model.target=net.py:Net"])).get("model.target") == f"{other}/net.py:Net"
    (other / "net.py").write_text(CODE + "# more\n")
    assert resolve(load(recipe_of(other))).digest("fit") != recipe.digest("fit")


def test_changed_code_and_changed_weights_are_refused(file: Path, tmp_path: Path) -> None:
    torch.save(build(file).state_dict(), tmp_path / "w.pth")
    tree = resolve(load(recipe_of(tmp_path, weights="w.pth"))).tree
    assert resolve(load(tree)).tree == tree
    with torch.no_grad():
        torch.save({key: value + 1 for key, value in build(file).state_dict().items()}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w.pth: this file of weights is not the one"):
        registry.build(
            "model", {k: v for k, v in tree["model"].items() if k != "insert"}, classes=4, channels=3, size=(9, 9)
        )
    file.write_text(CODE + "# more\n")
    with pytest.raises(UserError, match=r"model.target: the code of .* was changed after the recipe was resolved"):
        resolve(load(tree))
