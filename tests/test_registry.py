from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.toy_components import ToyData
from tricklab import registry
from tricklab.errors import UserError


def test_check_fills_defaults_and_nested_components() -> None:
    found = registry.check("data", {"type": "playdata", "window": 3, "rate": 1, "cuts": [{"type": "ToySplit"}]})
    assert found["rate"] == 1.0
    assert found["split"] == {"type": "ToySplit", "share": 0.5}
    assert found["cuts"] == [{"type": "ToySplit", "share": 0.5}]
    assert found["size"] == [2, 3]


def test_checking_what_was_checked_changes_nothing() -> None:
    once = registry.check("schedule", {"type": "MultiStep", "milestones": [4]})
    twice = registry.check("schedule", once)
    assert once == twice
    assert [type(value) for value in once.values()] == [type(value) for value in twice.values()]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"type": "playdata", "window": 3, "rat": 1},
            r"data\.rat: unknown key 'rat' of playdata\. did you mean 'rate'",
        ),
        ({"type": "playdata"}, r"data\.window: .* needs the key 'window'"),
        ({"type": "playdata", "window": "3"}, r"data\.window: wrong value '3'"),
        ({"type": "playdata", "window": 3.5}, r"data\.window: wrong value 3\.5"),
        ({"type": "playdata", "window": True}, r"data\.window: wrong value True"),
        ({"type": "playdata", "window": 3, "seeds": 1}, r"data\.seeds: 'seeds' of playdata is set by tricklab"),
        ({"type": "playdate", "window": 3}, r"data\.type: unknown data 'playdate'\. did you mean 'playdata'"),
        ({"window": 3}, r"data: a data needs the key 'type'"),
        (
            {"type": "playdata", "window": 3, "cuts": [{"type": "ToySplit", "shar": 1}]},
            r"r\.yaml:7, data\.cuts\.0\.shar: unknown key 'shar' of ToySplit\. did you mean 'share'",
        ),
        ({"type": "playdata", "window": 3, "split": "half"}, r"data\.split: wrong value 'half' of playdata: input"),
        ({"type": "playdata", "window": 3, 7: 1}, r"data\.7: unknown key 7 of playdata"),
        ({"type": "playdata", "window": 3, "": 1}, r'data\."": unknown key \'\''),
        ({"type": "playdata", "window": 3, 'a"b.c': 1}, r"unknown key 'a\"b\.c' of playdata"),
        ({"type": "playdata", "window": 3, "rate": math.inf}, r"data\.rate: wrong value inf .*finite"),
        ({"type": "playdata", "window": 3, "rate": math.nan}, r"data\.rate: wrong value nan .*finite"),
    ],
)
def test_bad_config_names_the_place_and_the_cure(config: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.check("data", config, "data", lambda path: "r.yaml:7" if "cuts" in path else None)


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], object]:
    """Declares a component of kind "block" for the length of a test."""
    monkeypatch.setattr(registry, "_RUNTIME", dict(registry._RUNTIME))
    return registry.component("block", name="Passing")


def test_keys_of_a_mapping_keep_their_type(passing: Callable[[type], object]) -> None:
    class ByNumber:
        """A block."""

        def __init__(self, names: dict[int, str], shape: tuple[int, ...] = (1, 2)) -> None: ...

    passing(ByNumber)
    expected = {"type": "Passing", "names": {1: "corn"}, "shape": [1, 2]}
    assert registry.check("block", {"type": "Passing", "names": {1: "corn"}}) == expected


def test_components_that_stand_in_no_file_are_listed(passing: Callable[[type], object]) -> None:
    passing(type("Typed", (), {"__doc__": "Typed at a prompt.", "__module__": "__main__"}))
    (found,) = [entry for entry in registry.entries("block") if entry.name == "Passing"]
    assert (found.summary, found.file, found.line) == ("Typed at a prompt.", "?", 0)


def _untyped(self: Any, width) -> None: ...  # type: ignore[no-untyped-def]


def _swallowing(self: Any, **keys: int) -> None: ...


@pytest.mark.parametrize(
    ("init", "message"),
    [(_untyped, "its parameter 'width' has no type.*annotate it"), (_swallowing, "would swallow misspelt keys")],
)
def test_a_component_that_cannot_be_checked_is_named(
    init: Callable[..., None], message: str, passing: Callable[[type], object]
) -> None:
    passing(type("Bad", (), {"__init__": init, "__module__": __name__}))
    with pytest.raises(UserError, match=f"component Passing in tests.test_registry: .*{message}"):
        registry.check("block", {"type": "Passing"})


def test_build_gives_framework_arguments() -> None:
    built = registry.build("data", {"type": "playdata", "window": 5}, seeds="S", more=1)
    assert isinstance(built, ToyData)
    assert (built.window, built.seeds) == (5, "S")
    with pytest.raises(UserError, match="needs seeds, which this task does not give"):
        registry.build("data", {"type": "playdata", "window": 5})


def test_schema_marks_nested_kinds() -> None:
    found = registry.schema("data", "playdata")
    assert found["properties"]["split"]["x-kind"] == "split"
    assert found["required"] == ["type", "window"]


def test_one_name_cannot_mean_two_classes() -> None:
    with pytest.raises(UserError, match="two components of kind 'split' are named 'ToySplit'"):

        @registry.component("split", name="ToySplit")
        class Other:
            """Another."""


@pytest.mark.parametrize("kind", sorted(registry.FOLDERS))
def test_every_component_can_be_described(kind: str) -> None:
    for entry in registry.entries(kind):
        assert entry.summary, f"{entry.file}:{entry.line} {entry.name} has no docstring"
        assert registry.schema(kind, entry.name)["properties"]["type"] == {"const": entry.name}


def test_a_place_among_alternatives_is_the_key_alone() -> None:
    for value, place in (
        (5, r"x\.resize"),
        ([5, "a"], r"x\.resize\.1"),
        ({"long": "a", "short": 1}, r"x\.resize\.long"),
    ):
        with pytest.raises(UserError, match=rf"^{place}: wrong value"):
            registry.check("data", {"type": "segmentation", "resize": value}, "x")
