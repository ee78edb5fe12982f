"""Contrasts against brute force on cell means whose effects are known."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, permutations

import numpy as np
import pytest

from tricklab.errors import UserError
from tricklab.statistics import Contrast, contrasts_for, default_cell_name, design_cells

TRICKS = ["a", "b", "c", "d"]


def response(seed: int, order: int) -> dict[frozenset[str], float]:
    """A random value for every set of tricks, with interactions up to `order`."""
    rng = np.random.default_rng(seed)
    parts = {frozenset(s): rng.normal() for size in range(1, order + 1) for s in combinations(TRICKS, size)}
    everything = [frozenset(s) for size in range(len(TRICKS) + 1) for s in combinations(TRICKS, size)]
    return {cell: sum(value for part, value in parts.items() if part <= cell) for cell in everything}


def value(weights: Mapping[str, float], response_of: Mapping[frozenset[str], float]) -> float:
    names = {default_cell_name(sorted(cell)): cell for cell in response_of}
    return sum(weight * response_of[names[cell]] for cell, weight in weights.items())


def shapley(trick: str, response_of: Mapping[frozenset[str], float]) -> float:
    gains = []
    for order in permutations(TRICKS):
        before = frozenset(order[: order.index(trick)])
        gains.append(response_of[before | {trick}] - response_of[before])
    return float(np.mean(gains))


def test_both_is_the_shapley_value_with_pairwise_interactions() -> None:
    table = response(seed=1, order=2)
    for contrast in contrasts_for("both", TRICKS):
        assert value(contrast.weights, table) == pytest.approx(shapley(contrast.name, table))


def test_both_is_not_it_with_interactions_of_four() -> None:
    table = response(seed=1, order=4)
    gaps = [abs(value(c.weights, table) - shapley(c.name, table)) for c in contrasts_for("both", TRICKS)]
    assert max(gaps) > 0.01


@pytest.mark.parametrize("design", ["both", "full"])
def test_interaction_is_half_the_difference(design: str) -> None:
    table = response(seed=2, order=3)
    everything = frozenset(TRICKS)
    for contrast in contrasts_for(design, TRICKS):
        alone = table[frozenset({contrast.name})] - table[frozenset()]
        kept = table[everything] - table[everything - {contrast.name}]
        assert contrast.interaction_weights is not None
        assert value(contrast.interaction_weights, table) == pytest.approx((kept - alone) / 2)
        if design == "both":
            assert value(contrast.weights, table) == pytest.approx((kept + alone) / 2)


def test_full_gives_main_effects() -> None:
    table = response(seed=3, order=4)
    for contrast in contrasts_for("full", TRICKS):
        on = np.mean([v for cell, v in table.items() if contrast.name in cell])
        off = np.mean([v for cell, v in table.items() if contrast.name not in cell])
        assert value(contrast.weights, table) == pytest.approx(on - off)
        assert len(contrast.pairs) == 8


@pytest.mark.parametrize(("design", "cells"), [("add-one", 5), ("leave-one-out", 6), ("both", 10), ("full", 16)])
def test_number_of_cells(design: str, cells: int) -> None:
    found = design_cells(design, TRICKS)
    assert found[0] == ()
    assert len(found) == len(set(map(frozenset, found))) == cells


def test_small_designs_share_cells() -> None:
    assert design_cells("both", ["a"]) == [(), ("a",)]
    assert [set(cell) for cell in design_cells("both", ["a", "b"])] == [set(), {"a"}, {"b"}, {"a", "b"}]
    (only,) = contrasts_for("both", ["a"])
    assert only.weights == {"+a": 1.0, "baseline": -1.0}
    assert only.interaction_weights is None
    assert only.pairs == (("+a", "baseline"),)


def test_add_one_and_leave_one_out() -> None:
    (first, second) = contrasts_for("add-one", ["a", "b"])
    assert first.weights == {"+a": 1.0, "baseline": -1.0}
    assert second.cells == ("+b", "baseline")
    (first, second) = contrasts_for("leave-one-out", ["a", "b"])
    assert first.weights == {"+a+b": 1.0, "+b": -1.0}
    assert second.pairs == (("+a+b", "+a"),)


def test_levels_of_one_factor_exclude_each_other() -> None:
    cells = design_cells("full", [("lr=1", "lr=2"), "se"])
    assert len(cells) == 6
    assert not [cell for cell in cells if "lr=1" in cell and "lr=2" in cell]
    first, second, third = contrasts_for("full", [("lr=1", "lr=2"), "se"])
    assert first.weights == {"+lr=1": 0.5, "baseline": -0.5, "+lr=1+se": 0.5, "+se": -0.5}
    assert set(second.cells) == {"+lr=2", "baseline", "+lr=2+se", "+se"}
    assert sum(third.weights[cell] for cell in third.weights if "+se" in cell) == pytest.approx(1.0)
    assert [c.name for c in contrasts_for("add-one", [("lr=1", "lr=2"), "se"])] == ["lr=1", "lr=2", "se"]


def test_cells_with_one_identity_may_be_the_same_cell() -> None:
    names = {frozenset(cell): default_cell_name(cell) for cell in design_cells("both", ["a", "b", "c"])}
    names[frozenset({"a", "b", "c"})] = names[frozenset({"a", "b"})] = "shared"
    contrast = contrasts_for("both", ["a", "b", "c"], names)[0]
    assert contrast.weights["shared"] == 0.5


@pytest.mark.parametrize(
    ("design", "tricks", "message"),
    [
        ("bogus", ["a"], "unknown design"),
        ("both", [], "at least one trick"),
        ("both", ["a", "a"], "named twice"),
        ("both", [("a", "b"), "c"], "alternative levels"),
        ("full", [str(i) for i in range(11)], "full factorial"),
    ],
)
def test_bad_designs(design: str, tricks: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        contrasts_for(design, tricks)


def test_bad_contrasts() -> None:
    with pytest.raises(UserError, match="sum to zero"):
        Contrast("a", "list", {"+a": 1.0, "baseline": -0.5})
    with pytest.raises(UserError, match="changes no cell"):
        Contrast("a", "list", {"+a": 0.0, "baseline": 0.0})
    with pytest.raises(UserError, match="needs a cell"):
        contrasts_for("add-one", ["a"], {frozenset(): "baseline"})
