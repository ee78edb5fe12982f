"""Failed runs are outcomes: counted, tested, taken as the worst observed value, and left out only beside that."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from tricklab.statistics import contrasts_for, judge_experiment
from tricklab.statistics.failures import failure_counts

PAIR = contrasts_for("add-one", ["se"])
BASE = [0.90, 0.91, 0.92, 0.93, 0.94, 0.95]


def barnard(failed_with: int, failed_without: int, runs: int) -> float:
    """The unconditional test by brute force: tables at least as extreme by the pooled z, worst case over the rate."""

    def z(a: int, b: int) -> float:
        pooled = (a + b) / (2 * runs)
        return 0.0 if pooled in (0, 1) else abs(a - b) / runs / math.sqrt(2 * pooled * (1 - pooled) / runs)

    seen = z(failed_with, failed_without)
    tables = [(a, b) for a, b in product(range(runs + 1), repeat=2) if z(a, b) >= seen - 1e-9]
    rates = np.linspace(0.0, 1.0, 2001)
    chance = sum(stats.binom.pmf(a, runs, rates) * stats.binom.pmf(b, runs, rates) for a, b in tables)
    return float(np.max(chance))


@pytest.mark.parametrize(("failed_with", "failed_without", "runs"), [(3, 0, 5), (5, 0, 5), (1, 0, 5), (4, 1, 10)])
def test_fail_counts_get_barnards_test(failed_with: int, failed_without: int, runs: int) -> None:
    assert failure_counts(failed_with, runs, failed_without, runs).p == pytest.approx(
        barnard(failed_with, failed_without, runs), abs=1e-6
    )


def test_fail_counts_are_near_scipys_and_above_the_conditional_test_never() -> None:
    assert failure_counts(4, 10, 1, 10).p == pytest.approx(stats.barnard_exact([[4, 1], [6, 9]]).pvalue, abs=2e-3)
    for table in ([[3, 0], [2, 5]], [[5, 1], [5, 19]], [[9, 2], [31, 58]]):
        (a, b), (c, d) = table
        assert failure_counts(a, a + c, b, b + d).p <= stats.fisher_exact(np.array(table)).pvalue + 1e-9


def test_fail_counts_of_thousands_of_runs() -> None:
    p = failure_counts(60, 1500, 30, 1500).p
    assert p == pytest.approx(stats.fisher_exact(np.array([[60, 30], [1440, 1470]])).pvalue)
    assert failure_counts(40, 1000, 20, 1000).p == pytest.approx(
        stats.fisher_exact(np.array([[40, 20], [960, 980]])).pvalue, rel=0.5
    )


def test_fail_counts_without_information() -> None:
    assert failure_counts(0, 5, 0, 5).p == failure_counts(5, 5, 5, 5).p == 1.0


def test_a_failed_run_is_the_worst_observed_value() -> None:
    trick: list[float | None] = [0.93, None, 0.95, 0.96, 0.97, 0.99]
    failed = {"+se": [False, True, False, False, False, False]}
    result = judge_experiment({"baseline": BASE, "+se": trick}, PAIR, failed=failed)
    replaced = judge_experiment({"baseline": BASE, "+se": [0.90 if s is None else s for s in trick]}, PAIR)
    assert result.tricks[0].p == replaced.tricks[0].p
    assert result.tricks[0].effect == replaced.tricks[0].effect
    assert (result.blocks, result.arms[1].failed, result.arms[1].n) == (6, 1, 6)
    assert any("1 of 6 with the trick" in flag for flag in result.tricks[0].flags)
    second = result.tricks[0].without_failures
    assert second is not None
    assert second.blocks == 5
    reference = stats.ttest_rel([s for s in trick if s is not None], [BASE[0], *BASE[2:]])
    assert second.p == pytest.approx(reference.pvalue)
    assert second.effect == pytest.approx(0.032)
    assert replaced.tricks[0].without_failures is None


def test_the_worst_of_a_loss_is_the_highest() -> None:
    failed = {"+se": [True, False, False, False, False, False]}
    result = judge_experiment({"baseline": BASE, "+se": [None, *BASE[1:]]}, PAIR, failed=failed, direction="min")
    assert result.tricks[0].differences[0] == pytest.approx(-(0.95 - 0.90))


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_a_failure(broken: float) -> None:
    told = judge_experiment({"baseline": BASE, "+se": [broken, *BASE[1:]]}, PAIR)
    flagged = judge_experiment({"baseline": BASE, "+se": [0.99, *BASE[1:]]}, PAIR, failed={"+se": [True]})
    assert told.to_dict() == flagged.to_dict()
    assert told.arms[1].failed == 1
    json.dumps(told.to_dict(), allow_nan=False)


def test_an_arm_that_always_fails_is_refused() -> None:
    better: list[float | None] = [b + 0.05 + 0.001 * i for i, b in enumerate(BASE)]
    cells: dict[str, list[float | None]] = {"baseline": list(BASE), "+se": [None] * 6, "+ema": better}
    result = judge_experiment(cells, contrasts_for("add-one", ["se", "ema"]), failed={"+se": [True] * 6})
    assert [trick.verdict for trick in result.tricks] == ["refused", "helps"]
    assert "failed in every block (6 of 6)" in result.trick("se").text
    assert result.tricks_judged == 1
    assert [arm.failed for arm in result.arms] == [0, 6, 0]
    alone = judge_experiment({"baseline": BASE, "+ema": better}, contrasts_for("add-one", ["ema"]))
    assert alone.tricks[0].p == result.trick("ema").p


def test_a_baseline_that_always_fails_leaves_nothing() -> None:
    result = judge_experiment({"baseline": [None] * 5, "+se": BASE[:5]}, PAIR, failed={"baseline": [True] * 5})
    assert (result.tricks[0].verdict, result.blocks) == ("refused", 0)


def test_everything_failed() -> None:
    failed = {"baseline": [True] * 5, "+se": [True] * 5}
    result = judge_experiment({"baseline": [None] * 5, "+se": [None] * 5}, PAIR, failed=failed)
    assert result.tricks[0].verdict == "refused"
    json.dumps(result.to_dict(), allow_nan=False)


def test_failing_often_is_no_gain() -> None:
    trick: list[float | None] = [None, None, None, 0.99, 0.99]
    failed = {"+se": [True, True, True, False, False]}
    result = judge_experiment({"baseline": BASE[:5], "+se": trick}, PAIR, failed=failed)
    assert result.tricks[0].verdict == "undecided"
    counts = result.tricks[0].failures
    assert counts is not None
    assert (counts.failed_with, counts.failed_without) == (3, 0)
    second = result.tricks[0].without_failures
    assert second is not None
    assert second.effect is not None
    assert second.effect > 0.04
    assert second.blocks == 2


def test_a_failed_run_needs_no_place_in_the_scores() -> None:
    cells = {"baseline": BASE, "+se": BASE[:5]}
    result = judge_experiment(cells, PAIR, failed={"+se": [False] * 5 + [True]})
    assert (result.blocks, result.arms[1].failed) == (6, 1)
