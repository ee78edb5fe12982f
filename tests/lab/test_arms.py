"""What a user writes for an arm, and the cells that a design makes of arms."""

from __future__ import annotations

import pytest

from tricklab.errors import UserError
from tricklab.lab.arms import Arm, parse_command_arms, parse_function_arms, parse_recipe_arms, split
from tricklab.lab.designs import cell_name, cells_of, default_design, factors_of, folder_names


def names(arms: list[Arm]) -> list[str]:
    return [arm.name for arm in arms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+se", [("trick", "+se")]),
        ("+step_decay(at=[41, 76])", [("trick", "+step_decay(at=[41, 76])")]),
        ("+se:reduction=8", [("trick", "+se:reduction=8")]),
        ("optimizer.lr=1e-3", [("set", "optimizer.lr=1e-3")]),
        ("without se", [("without", "se")]),
        ("without +se", [("without", "se")]),
        ("optimizer.lr=1e-4 +se(reduction=8)", [("set", "optimizer.lr=1e-4"), ("trick", "+se(reduction=8)")]),
        ("slow: optimizer.lr=1e-4 without ema", [("set", "optimizer.lr=1e-4"), ("without", "ema")]),
        ("data.scene.image='a b.mat'", [("set", "data.scene.image='a b.mat'")]),
    ],
)
def test_one_arm_is_any_named_patch(text: str, expected: list[tuple[str, str]]) -> None:
    (arm,) = parse_recipe_arms([text])
    assert [(change.kind, change.text) for change in arm.changes] == expected
    assert arm.name == (text if not text.startswith("slow: ") else "slow").replace(
        "+se", "se" * text.startswith("without") or "+se"
    )


def test_levels_are_arms_of_one_factor() -> None:
    arms = parse_recipe_arms(["model=HybridSN|PixelSVM", "optimizer.lr=1e-3", "optimizer.lr=2e-4"])
    assert names(arms) == ["model=HybridSN", "model=PixelSVM", "optimizer.lr=1e-3", "optimizer.lr=2e-4"]
    assert factors_of(arms) == [("model=HybridSN", "model=PixelSVM"), ("optimizer.lr=1e-3", "optimizer.lr=2e-4")]


def test_brackets_and_quotes_hide_separators() -> None:
    assert split("model={type: A, x: [1|2]}|B", "|") == ["model={type: A, x: [1|2]}", "B"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "nothing to compare"),
        (["se"], "write \\+se"),
        (["+se", "+se"], "two arms are the same"),
        (["without"], "needs the name of a trick"),
        (["   "], "empty"),
        (["baseline: +se"], "cannot be called baseline"),
        (["optimizer.lr=1e-4|"], "a level is empty"),
        (["optimizer.lr=1e-4||1e-3"], "a level is empty"),
    ],
)
def test_arms_that_mean_nothing_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_recipe_arms(texts)


def test_command_arms_keep_their_words() -> None:
    assert names(parse_command_arms(["+lr=0.1|0.2", "--flip --lr 3", "+--name 'a|b'"])) == [
        "lr=0.1", "lr=0.2", "--flip --lr 3", "--name 'a|b'",
    ]  # fmt: skip


def test_function_arms_keep_their_values() -> None:
    arms = parse_function_arms({"lr": [0.1, 1], "flip": True, "kind": "big", "shape": [[1, 2]]})
    assert [arm.changes[0].value for arm in arms] == [0.1, 1, True, "big", [1, 2]]
    assert names(arms) == ["lr=0.1", "lr=1", "flip=true", "kind=big", "shape=[1, 2]"]
    with pytest.raises(UserError, match="neither a number"):
        parse_function_arms({"loss": object()})
    with pytest.raises(UserError, match="no levels"):
        parse_function_arms({"lr": []})


def test_arms_survive_json() -> None:
    for arm in [*parse_recipe_arms(["a: +se x.y=1"]), *parse_function_arms({"lr": [0.5]})]:
        assert Arm.from_dict(arm.to_dict()) == arm


@pytest.mark.parametrize(
    ("design", "expected"),
    [
        ("add-one", {(), ("+a",), ("+b",), ("+c",)}),
        ("leave-one-out", {(), ("+a", "+b", "+c"), ("+b", "+c"), ("+a", "+c"), ("+a", "+b")}),
        ("both", {(), ("+a",), ("+b",), ("+c",), ("+a", "+b", "+c"), ("+b", "+c"), ("+a", "+c"), ("+a", "+b")}),
        ("full", {(), ("+a",), ("+b",), ("+c",), ("+b", "+c"), ("+a", "+c"), ("+a", "+b"), ("+a", "+b", "+c")}),
    ],
)
def test_cells_of_a_design(design: str, expected: set[tuple[str, ...]]) -> None:
    cells = cells_of(design, parse_recipe_arms(["+a", "+b", "+c"]))
    assert set(cells) == expected
    assert len(cells) == len(expected)


def test_full_design_crosses_levels_but_not_within_a_factor() -> None:
    cells = cells_of("full", parse_recipe_arms(["+a", "lr=1|2"]))
    assert set(cells) == {(), ("+a",), ("lr=1",), ("lr=2",), ("+a", "lr=1"), ("+a", "lr=2")}


def test_default_design() -> None:
    assert default_design(parse_recipe_arms(["+a"])) == "add-one"
    assert default_design(parse_recipe_arms([f"+a{i}" for i in range(6)])) == "both"
    assert default_design(parse_recipe_arms([f"+a{i}" for i in range(7)])) == "add-one"
    assert default_design(parse_recipe_arms(["+a", "lr=1|2"])) == "add-one"


@pytest.mark.parametrize("design", ["both", "leave-one-out"])
def test_levels_cannot_all_be_on(design: str) -> None:
    with pytest.raises(UserError, match="add-one or full"):
        cells_of(design, parse_recipe_arms(["+a", "lr=1|2"]))
    with pytest.raises(UserError, match="did you mean 'both'"):
        cells_of("botth", parse_recipe_arms(["+a"]))


def test_folder_names_are_distinct_and_plain() -> None:
    cells = [(), ("+se",), ("+SE",), ("+a(x=[1, 2])", "model=X/../..", "k='é $;'"), ("///",)]
    found = folder_names(cells)
    assert found == ["baseline", "+se", "+SE~2", "+a-x=1,2_and_model=X_.._.._and_k=é", "cell"]
    assert len({name.lower() for name in found}) == len(cells)
    assert not any(character in name for name in found for character in "/\\ '\"()[]{}$;&|*?")
    assert [cell_name(cell) for cell in cells[:2]] == ["baseline", "+se"]


def test_two_cells_of_one_name_are_refused() -> None:
    with pytest.raises(UserError, match="two cells would both be called 'a & b'"):
        cells_of("both", parse_command_arms(["+a", "+b", "+a & b"]))


def test_no_cell_takes_the_place_of_a_file_of_the_experiment() -> None:
    assert folder_names([("lock",), ("plan.json",), ("lock", "x")]) == ["lock~2", "plan.json~2", "lock_and_x"]
