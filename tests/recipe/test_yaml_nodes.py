"""What YAML text means, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tricklab.errors import UserError
from tricklab.recipe.located import find, plain
from tricklab.recipe.scalars import core_scalar
from tricklab.recipe.yaml_nodes import read
from tricklab.recipe.yaml_writer import write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1E5", 100000.0), (".5", 0.5), ("5.", 5.0), ("-0.5e+2", -50.0), ("010", 10), ("-7", -7),
        ("0x1F", 31), ("0o17", 15), ("0b11", "0b11"), ("1_000", "1_000"), ("1:30", "1:30"), ("on", "on"),
        ("off", "off"), ("yes", "yes"), ("no", "no"), ("y", "y"), ("true", True), ("False", False), ("tRue", "tRue"),
        ("null", None), ("~", None), ("", None), ("None", "None"), ("2026-11-22", "2026-11-22"), (".inf", math.inf),
        ("-.Inf", -math.inf), ("1e400", math.inf), ("+12", 12), ("e5", "e5"), ("1e", "1e"), (".", "."), ("-", "-"),
        ("'1e-3'", "1e-3"), ('"true"', "true"), ("!!str 010", "010"), ("!!float 3", 3.0), ("!!int 3", 3),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    found = read(f"key: {text}", "r.yaml").value["key"].value if text != "-" else core_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(read("a: .nan", "r.yaml").value["a"].value)


def test_every_value_knows_its_line() -> None:
    root = read("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "r.yaml")
    assert root.value["a"].origin.text == "r.yaml:1"
    for path, line in ((("a", "b"), 2), (("a", "c"), 3), (("a", "c", "0"), 4), (("a", "c", "1", "d"), 5)):
        found = find(root, path)
        assert found is not None
        assert found.origin.text == f"r.yaml:{line}"


def test_anchors_are_allowed() -> None:
    root = read("a: &x {k: 1}\nb: *x\n", "r.yaml")
    assert plain(root) == {"a": {"k": 1}, "b": {"k": 1}}


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", "r.yaml:3", "'a' stands twice, first in line 1"),
        ("a:\n  1: x\n  '1': y\n", "r.yaml:3", "stands twice"),
        ("a: &x {k: 1}\nb:\n  <<: *x\n", "r.yaml:3", "merge keys"),
        ("a: !!python/object:os.system {}\n", "r.yaml:1", "tag"),
        ("a: !!set {x: null}\n", "r.yaml:1", "tag"),
        ("a: !!binary aGk=\n", "r.yaml:1", "tag"),
        ("a: !mine 3\n", "r.yaml:1", "tag"),
        ("a: !!int word\n", "r.yaml:1", "not of the type"),
        ("a: &x [*x]\n", "r.yaml:1", "its own anchor"),
        ("a: *nobody\n", "r.yaml:1", "not readable as YAML"),
        ("a: 1\n---\nb: 2\n", "r.yaml:2", "not readable as YAML"),
        ("a:\n\tb: 1\n", "r.yaml:2", "not readable as YAML"),
        ("a: [1, 2\n", "r.yaml:2", "not readable as YAML"),
        ("a: b: c\n", "r.yaml:1", "not readable as YAML"),
        ("[1, 2]: 3\n", "r.yaml:1", "a key must be text"),
        ("true: 3\n", "r.yaml:1", "a key must be text"),
        ("1.5: 3\n", "r.yaml:1", "a key must be text"),
        ("a: " + "1" * 5000 + "\n", "r.yaml:1", "not a number"),
        ("a: \x00\n", "r.yaml", "not readable as YAML"),
    ],
)
def test_refusals_name_file_and_line(text: str, where: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        read(text, "r.yaml")
    assert caught.value.where == where
    assert what in caught.value.what


def test_deep_nesting_and_multiplying_aliases_end_in_an_error() -> None:
    with pytest.raises(UserError, match="nested too deeply"):
        read("[" * 700 + "]" * 700, "r.yaml")
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(UserError, match="do aliases multiply"):
        read("\n".join(lines), "r.yaml")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
    | st.sampled_from(["1e-3", "on", "010", "~", "null", "+se(a=1)", "x: y", "# no", "0x1", ".5", "- a", "'", '"']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def _printable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_printable(k) and _printable(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(_printable, value))
    return not isinstance(value, str) or not any(0xD800 <= ord(letter) <= 0xDFFF for letter in value)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(min_size=1, max_size=8), PLAIN, max_size=5).filter(_printable))
def test_what_is_written_reads_back(tree: dict[str, Any]) -> None:
    text = write(tree)
    assert plain(read(text, "r.yaml")) == tree
    assert _typed(plain(read(text, "r.yaml"))) == _typed(tree)


def test_a_yaml_1_1_reader_takes_it_for_the_same() -> None:
    tree = {"on": "off", "lr": 1e-5, "text": "1e-3", "id": "010", "when": "2026-11-22", "no": ["yes", "1_000", None]}
    assert yaml.safe_load(write(tree)) == tree


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    return [_typed(item) for item in value] if isinstance(value, list) else type(value)
