"""Two pasted lists, document 002's eight accuracies first."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from tricklab.errors import UserError
from tricklab.statistics import judge_experiment, judge_lists
from tricklab.statistics.contrasts import Contrast

A = [0.9498, 0.9786, 0.9560]
B = [0.9780, 0.9778, 0.9808, 0.9802, 0.9797]


def test_document_002_is_undecided_in_the_mean_and_its_spread_fell() -> None:
    result = judge_lists(A, B)
    trick = result.trick("B")
    assert trick.verdict == "undecided"
    assert trick.p == pytest.approx(0.18, abs=0.005)
    assert trick.interval == pytest.approx((-0.020, 0.055), abs=5e-4)
    assert [round(100 * (arm.sd or 0.0), 2) for arm in result.arms] == [1.52, 0.13]
    assert [round(arm.mean or 0.0, 4) for arm in result.arms] == [0.9615, 0.9793]
    assert trick.steadiness is not None
    assert (trick.steadiness.verdict, trick.steadiness.confirmed) == ("steadier", False)
    assert trick.steadiness.check_p == pytest.approx(0.13, abs=0.005)
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("sizes", [(3, 5), (5, 5), (10, 4)])
def test_unpaired_is_scipys_welch(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(sizes))
    a, b = rng.normal(0, 1, sizes[0]), rng.normal(1, 3, sizes[1])
    reference = stats.ttest_ind(b, a, equal_var=False)
    trick = judge_lists(list(a), list(b)).trick("B")
    ends = reference.confidence_interval(0.95)
    assert trick.p == pytest.approx(reference.pvalue)
    assert trick.df == pytest.approx(reference.df)
    assert trick.interval == pytest.approx((ends.low, ends.high))


def test_unpaired_claims_need_five_runs_on_each_side() -> None:
    low, high = [0.1, 0.11, 0.12, 0.1, 0.13], [0.9, 0.91, 0.92, 0.9, 0.93]
    assert judge_lists(low, high).trick("B").verdict == "helps"
    assert judge_lists(high, low).trick("B").verdict == "hurts"
    assert judge_lists(high, low, direction="min").trick("B").verdict == "helps"
    assert judge_lists(low[:4], high).trick("B").verdict == "screening"
    assert judge_lists(low, high[:2]).trick("B").verdict == "smoke"
    assert judge_lists(low[:1], high).trick("B").verdict == "smoke"
    assert judge_lists(low, low[::-1], delta=0.5).trick("B").verdict == "equivalent"
    assert judge_lists(low[:4], low[:4], delta=0.5).trick("B").verdict == "screening"


def test_how_many_more_runs() -> None:
    trick = judge_lists(A, B, delta=0.005).trick("B")
    assert trick.blocks_needed is not None
    runs = trick.blocks_needed + 3
    rng = np.random.default_rng(0)
    a = rng.normal(0.0, np.std(A, ddof=1), (4000, runs))
    b = rng.normal(0.005, np.std(B, ddof=1), (4000, runs))
    power = (stats.ttest_ind(b, a, axis=1, equal_var=False).pvalue < 0.05).mean()
    assert power == pytest.approx(0.8, abs=0.03)


def test_paired_is_the_experiment_of_two_arms() -> None:
    rng = np.random.default_rng(1)
    a, b = list(rng.normal(0, 1, 7)), list(rng.normal(0, 1, 7))
    contrast = Contrast("B", "list", {"B": 1.0, "A": -1.0})
    assert judge_lists(a, b, paired=True).to_dict() == judge_experiment({"A": a, "B": b}, [contrast]).to_dict()
    assert judge_lists(a, b, paired=True).trick("B").p == pytest.approx(stats.ttest_rel(b, a).pvalue)


@pytest.mark.parametrize("paired", [True, False])
def test_identical_and_constant_lists(paired: bool) -> None:
    for scores in ([0.9, 0.8, 0.95, 0.7, 0.85], [0.9] * 5):
        result = judge_lists(scores, scores, paired=paired)
        assert (result.trick("B").effect, result.trick("B").p, result.trick("B").verdict) == (0.0, 1.0, "undecided")
        json.dumps(result.to_dict(), allow_nan=False)
    apart = judge_lists([0.9] * 5, [0.8] * 5, paired=paired)
    assert apart.trick("B").verdict == "undecided"
    assert apart.trick("B").flags


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        ([], [1.0], {}, "no numbers"),
        ([1.0, float("nan")], [1.0], {}, "not a score"),
        ([1.0, 2.0], [1.0], {"paired": True}, "one length"),
        ([1.0, 2.0], [1.0], {"delta": -1.0}, "delta"),
    ],
)
def test_bad_lists(a: list[float], b: list[float], options: dict[str, bool], message: str) -> None:
    with pytest.raises(UserError, match=message):
        judge_lists(a, b, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("paired", [True, False])
def test_an_unknown_direction_is_refused_and_never_guessed(paired: bool) -> None:
    with pytest.raises(UserError, match="direction"):
        judge_lists([0.1, 0.2, 0.3], [0.2, 0.3, 0.4], paired=paired, direction="higher")  # type: ignore[arg-type]
