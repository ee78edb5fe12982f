"""Files, bases, overrides, trick items, user modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipe.toys import TEXT, TREE
from tricklab import registry
from tricklab.errors import UserError
from tricklab.recipe import Recipe, load, shipped


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(TEXT)
    return tmp_path


def child(folder: Path, text: str, name: str = "child.yaml") -> Recipe:
    (folder / name).write_text(text)
    return load(name)


def test_origins_of_file_and_command_line(folder: Path) -> None:
    recipe = load("base.yaml", ["train.epochs=6"])
    assert recipe.origin("data.window").text == "base.yaml:4"
    assert recipe.origin("train.epochs").text == "command line"
    assert recipe.origin("train.nothing").text == "base.yaml:9"
    assert recipe.name == "base"


def test_a_base_is_merged_by_key(folder: Path) -> None:
    recipe = child(folder, "base: base.yaml\ndata: {window: 11}\noptimizer:\n  weight_decay: 0.1\n")
    assert recipe.get("data") == {"scene": {"type": "ToyScene", "file": "a.mat"}, "window": 11}
    assert recipe.get("optimizer") == {"type": "Adam", "lr": 0.001, "weight_decay": 0.1}
    assert recipe.origin("data.window").text == "child.yaml:2"
    assert recipe.origin("data.scene.file").text == "base.yaml:3"
    assert not recipe.has("base")


def test_a_changed_type_replaces_the_component(folder: Path) -> None:
    assert child(folder, "base: base.yaml\nmodel: {type: ToyTree}\n").get("model") == {"type": "ToyTree"}
    assert child(folder, "base: base.yaml\nmodel: ToyTree\n").get("model") == {"type": "ToyTree"}
    same = child(folder, "base: base.yaml\nmodel: {type: ToyNet, act: false}\n")
    assert same.get("model") == {"type": "ToyNet", "dropout": 0.2, "act": False}


def test_lists_replace(folder: Path) -> None:
    child(folder, "base: base.yaml\nschedule: [{type: Cosine}, {type: Poly}]\n", "middle.yaml")
    assert child(folder, "base: middle.yaml\nschedule: [{type: Poly}]\n").get("schedule") == [{"type": "Poly"}]


def test_another_length_drops_the_inherited_one(folder: Path) -> None:
    recipe = child(folder, "base: base.yaml\ntrain: {iterations: 800, validate_every: {iterations: 80}}\n")
    assert recipe.get("train") == {"iterations": 800, "validate_every": {"iterations": 80}}
    deeper = load("child.yaml", ["train.samples=9", "train.validate_every.epochs=2"])
    assert deeper.get("train") == {"samples": 9, "validate_every": {"epochs": 2}}


def test_bases_are_relative_to_their_file(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "one.yaml").write_text("base: ../base.yaml\nseed: 3\n")
    assert child(folder, "base: deep/one.yaml\n").get("data.window") == 9


def test_a_shipped_name_is_a_base(folder: Path) -> None:
    assert child(folder, "base: demo\nseed: 7\n").get("task") == "hyperspectral"
    assert load("demo").get("data.scene.type") == "SyntheticScene"
    assert load("demo.yaml").name == "demo"


def test_a_circle_of_bases(folder: Path) -> None:
    (folder / "one.yaml").write_text("base: two.yaml\n")
    (folder / "two.yaml").write_text("base: one.yaml\n")
    with pytest.raises(UserError, match=r"circle: one\.yaml -> two\.yaml -> one\.yaml"):
        load("one.yaml")


@pytest.mark.parametrize(
    ("source", "what", "fix"),
    [
        ("bsae.yaml", "there is no recipe 'bsae.yaml'", "did you mean 'base.yaml'?"),
        ("recipes/demo.yaml", "there is no recipe", "a recipe of that name is shipped: demo"),
        (".", "is a folder", "give a .yaml file"),
        ("empty.yaml", "the recipe is empty", "begin with task"),
        ("list.yaml", "a recipe is a mapping", "begin with task"),
        ("latin.yaml", "not a text file in UTF-8", None),
        ("base_list.yaml", "base must be one file", None),
        ("base_zero.yaml", "cannot be a path", None),
        ("imports_zero.yaml", "cannot be a path", None),
        ("", "no recipe is named", "demo"),
        ("x" * 5000, "cannot be a path", None),
        ("~nobody-of-that-name/r.yaml", "cannot be a path", None),
    ],
)
def test_unusable_sources(folder: Path, source: str, what: str, fix: str | None) -> None:
    (folder / "empty.yaml").write_text("# nothing\n")
    (folder / "list.yaml").write_text("- a\n")
    (folder / "latin.yaml").write_bytes(b"task: caf\xe9\n")
    (folder / "base_list.yaml").write_text("base: [a, b]\n")
    (folder / "base_zero.yaml").write_text('base: "a\\0b"\n')
    (folder / "imports_zero.yaml").write_text('base: base.yaml\nimports: ["a\\0.py"]\n')
    with pytest.raises(UserError) as caught:
        load(source)
    assert what in caught.value.what
    assert fix is None or fix in (caught.value.fix or "")


def test_a_run_folder_is_pointed_at(folder: Path) -> None:
    (folder / "recipe.yaml").write_text(TEXT)
    with pytest.raises(UserError, match=r"did you mean .*recipe\.yaml"):
        load(str(folder))


def test_a_mapping_may_hold_tuples_but_no_objects() -> None:
    assert load(TREE | {"ignore": (0, 255)}).get("ignore") == [0, 255]
    with pytest.raises(UserError, match="Path is not plain data") as caught:
        load(TREE | {"data": {"root": Path(".")}})
    assert caught.value.where == "in Python, data.root"


def test_tricks_stay_unapplied_in_every_spelling(folder: Path) -> None:
    text = "base: base.yaml\ntricks:\n  - +ema\n  - se(reduction=8)\n  - +swa:start=0.5\n  - tta: {}\n  - cosine:\n"
    recipe = child(folder, text + "  - step_decay: {at: [41, 76]}\n")
    assert [call.text for call in recipe.calls] == [
        "+ema", "+se(reduction=8)", "+swa(start=0.5)", "+tta", "+cosine", "+step_decay(at=[41, 76])",
    ]  # fmt: skip
    assert recipe.calls[1].origin.text == "child.yaml:4"
    assert not recipe.has("tricks")
    more = load("child.yaml", tricks=["+flips(p=0.1)"], without=["+swa", "tta"])
    assert [call.name for call in more.calls] == ["ema", "se", "cosine", "step_decay", "flips"]


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ("- [ema]", "is not a trick"),
        ("- 3", "is not a trick"),
        ("- {ema: {}, se: {}}", "is not a trick"),
        ("- {ema: 3}", "is not a trick"),
        ("- '+'", "is not a trick"),
        ("- ema decay", "is not a trick"),
        ("- +ema(0.9)", "has no name"),
        ("- +ema(decay=1, decay=2)", "stands twice"),
        ("- +step_decay(at=[1, 2)", "not balanced"),
        ("- +se(reduction=8)(after=conv1)", "not balanced"),
        ("[+step_decay(at=1, gamma=2)]", "has no closing parenthesis"),
        ("[+step_decay(at=[1, 2], gamma=2)]", "not readable as YAML"),
    ],
)
def test_unreadable_tricks_name_their_line(folder: Path, item: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        child(folder, f"base: base.yaml\ntricks:\n  {item}\n")
    assert what in caught.value.what
    assert "child.yaml:3" in (caught.value.where or "")


def test_tricks_must_be_a_list(folder: Path) -> None:
    with pytest.raises(UserError, match=r"child\.yaml:2: tricks must be a list"):
        child(folder, "base: base.yaml\ntricks: ema\n")


def test_leaving_out_a_trick_that_is_not_there(folder: Path) -> None:
    (folder / "child.yaml").write_text("base: base.yaml\ntricks: [ema]\n")
    with pytest.raises(UserError, match="no trick 'emma' to leave out"):
        load("child.yaml", without=["emma"])


def test_user_modules_are_imported_relative_to_the_recipe(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "mine.py").write_text(
        "from tricklab.registry import component\n\n@component('model')\nclass MineAlone:\n    '''Mine.'''\n\n"
        "    def __init__(self, width: int = 3) -> None: ...\n"
    )
    (folder / "deep" / "one.yaml").write_text("base: ../base.yaml\nimports: [mine.py]\nmodel: MineAlone\n")
    recipe = child(folder, "base: deep/one.yaml\nimports: [json]\n")
    assert registry.load("model", "MineAlone").__name__ == "MineAlone"
    assert recipe.get("imports") == [str(folder / "deep" / "mine.py"), "json"]
    with pytest.raises(UserError, match="no such file") as caught:
        child(folder, "base: base.yaml\nimports:\n  - none.py\n")
    assert (caught.value.where or "").startswith("child.yaml:3")
    (folder / "broken.py").write_text("1 / 0\n")
    with pytest.raises(UserError, match="ZeroDivisionError"):
        child(folder, "base: base.yaml\nimports: [broken.py]\n")


def test_shipped_recipes_of_an_installed_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "demo" in shipped()
    package = folder / "site-packages" / "tricklab"
    (package / "_recipes").mkdir(parents=True)
    (package / "_recipes" / "only.yaml").write_text("# The only one\ntask: toy\n")
    monkeypatch.setattr("tricklab.recipe.shipped_recipes._PACKAGE", package)
    assert list(shipped()) == ["only"]
    assert load("only").get("task") == "toy"
