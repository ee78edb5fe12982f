"""Any scores get a finite judgement, and input that contradicts itself one clear error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tricklab.errors import UserError
from tricklab.statistics import Contrast, contrasts_for, judge_experiment

SE = contrasts_for("add-one", ["se"])


@settings(max_examples=40, deadline=None)
@given(
    scores=st.lists(st.lists(st.floats(0, 1, width=32), min_size=5, max_size=5), min_size=5, max_size=7),
    delta=st.one_of(st.none(), st.floats(0.001, 0.5)),
)
def test_any_scores_give_a_finite_judgement(scores: list[list[float]], delta: float | None) -> None:
    names = ["baseline", "a", "b", "c", "d"]
    cells = {name: [row[column] for row in scores] for column, name in enumerate(names)}
    contrasts = [Contrast(name, "list", {name: 1.0, "baseline": -1.0}) for name in names[1:]]
    result = judge_experiment(cells, contrasts, delta=delta)
    json.dumps(result.to_dict(), allow_nan=False)
    for trick in result.tricks:
        assert trick.p is not None
        assert trick.p_holm is not None
        assert trick.interval is not None
        assert trick.effect is not None
        assert 0 <= trick.p <= trick.p_holm <= 1
        assert trick.interval[0] <= trick.effect <= trick.interval[1]
        assert trick.verdict in ("helps", "hurts", "equivalent", "undecided")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "up"}, "direction"),
        ({"delta": 0.0}, "delta"),
        ({"delta": float("nan")}, "delta"),
        ({"looks": [5, 10], "look": 3}, "look 3"),
        ({"looks": [5, 10], "look": 0}, "look 0"),
        ({"looks": [5, 5]}, "rising"),
        ({"looks": [5, 10], "look": 2, "final": True}, "final"),
        ({"not_live": ["bogus"]}, "bogus"),
        ({"refused": {"bogus": "why"}}, "bogus"),
        ({"failed": {"bogus": [True]}}, "bogus"),
        ({"failed": {"+se": [True] * 9}}, "failure flags"),
        ({"train_test_ratio": 0.0}, "train_test_ratio"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        judge_experiment({"baseline": [0.9] * 5, "+se": [0.91] * 5}, SE, **options)


def test_missing_cells_and_double_names() -> None:
    with pytest.raises(UserError, match="no scores"):
        judge_experiment({"baseline": [0.9]}, SE)
    with pytest.raises(UserError, match="one name"):
        judge_experiment({"baseline": [0.9], "+se": [0.9]}, [*SE, *SE])
