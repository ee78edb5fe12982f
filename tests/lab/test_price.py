"""The price of a plan: runs, device time, what it can show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.test_ledger import experiment, fill
from tricklab.errors import UserError
from tricklab.lab.durations import seconds_of, span
from tricklab.lab.price import price
from tricklab.statistics import smallest_detectable


def test_nothing_is_known_before_the_first_run(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+ema"])
    found = price(plan, opened.path, 5)
    assert (found.runs, found.trainings, found.evaluations, found.done) == (20, 10, 10, 0)
    assert found.device_hours is None
    assert found.sigma is None
    # two trainings: too few to pool, and the two pairs of +se score the same two, so they are no better than one
    assert found.smallest == pytest.approx(smallest_detectable(2**0.5, 5, df=4, level=0.0278, tests=2), rel=1e-3)
    # four trainings, pooled: the contrast of `both` has half the variance of a difference
    _, apart = experiment(tmp_path / "apart", ["+se", "+cosine"])
    assert price(apart, tmp_path / "none", 5).smallest == pytest.approx(1.5, abs=0.4)
    text = "\n".join(found.lines())
    assert "known after the first run" in text
    assert "δ = 0.01 shows if σ ≤" in text


def test_finished_runs_of_the_same_recipe_give_time_and_spread(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+cosine"], design="add-one")
    fill(opened, plan)
    again = price(plan, tmp_path / "other", 10)
    assert again.done == 0
    assert again.device_hours == pytest.approx(30 * 36 / 2 / 3600)
    assert again.sigma == pytest.approx(0.016, abs=0.003)
    assert "WARNING: larger than δ = 0.01" in again.lines()[-1]
    assert again.blocks_for_delta is not None
    assert again.blocks_for_delta > 10
    assert price(plan, opened.path, 5).lines()[0].endswith("15 done")


def test_one_block_shows_nothing(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=1)
    assert "smoke" in price(plan, opened.path, 1).lines()[-1]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("45s", 45), ("45", 45), ("1d", 86400), ("0.5h", 1800)],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "two hours", "2 h", "-1h", "h"])
def test_no_length_of_time(text: str) -> None:
    with pytest.raises(UserError, match="no length of time"):
        seconds_of(text)


def test_span() -> None:
    assert [span(x) for x in (None, float("inf"), 0.26, 89, 91, 5399, 5400)] == [
        "",
        "",
        "0.3 s",
        "89 s",
        "2 min",
        "90 min",
        "1.5 h",
    ]


def test_cells_that_score_one_training_lend_one_variance(tmp_path: Path) -> None:
    _, shared = experiment(tmp_path / "a", ["+ema", "+swa(start=0.5)", "+tta"], design="add-one")
    _, own = experiment(tmp_path / "b", ["+se", "+cosine", "optimizer.lr=1e-4"], design="add-one")
    here, there = (price(plan, tmp_path / "none", 5).smallest for plan in (shared, own))
    assert here is not None
    assert there is not None
    # 4 degrees of freedom against 12
    assert here > 1.3 * there
