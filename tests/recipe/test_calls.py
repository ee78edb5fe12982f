"""Trick calls: every spelling means the same, and the canonical one reads back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tricklab.recipe import TrickCall, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=True)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x85\u2028\u2029\ufeff"), max_size=8)
    | st.sampled_from(["conv2d", "layer*.conv?", "1e-3", "true", "a,b", "(", "x=y", "'", '"', "#", "a: b", "~", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "k 1"]), inner, max_size=2),
    max_leaves=6,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("se", "se", {}),
        ("+se", "se", {}),
        (" +se ( ) ", "se", {}),
        ("+se(reduction=8)", "se", {"reduction": 8}),
        ("+se:reduction=8", "se", {"reduction": 8}),
        ("+ema:decay=0.99,warmup=false", "ema", {"decay": 0.99, "warmup": False}),
        ("+step_decay(at=[41, 76], gamma=1e-1)", "step_decay", {"at": [41, 76], "gamma": 0.1}),
        ("+step_decay:at=[41,76]", "step_decay", {"at": [41, 76]}),
        ("+x(a='1, 2', b={c: [1, 2], d: (e)},)", "x", {"a": "1, 2", "b": {"c": [1, 2], "d": "(e)"}}),
        ("+x(a=)", "x", {"a": None}),
        ("+x(a=b=c)", "x", {"a": "b=c"}),
    ],
)
def test_spellings(text: str, name: str, arguments: dict[str, Any]) -> None:
    call = parse(text)
    assert (call.name, call.arguments) == (name, arguments)
    assert parse(call.text) == call


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(["at", "gamma", "p", "after_x"]), VALUES, max_size=3))
def test_the_canonical_spelling_reads_back(arguments: dict[str, Any]) -> None:
    call = TrickCall("any", arguments)
    assert parse(call.text) == call
    assert hash(parse(call.text)) == hash(call)
