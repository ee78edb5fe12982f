"""The verdict words, and every rule that stands between scores and a word."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tricklab.errors import UserError
from tricklab.statistics import (
    VERDICTS,
    Contrast,
    Judgement,
    contrasts_for,
    default_cell_name,
    design_cells,
    judge_experiment,
)

Cells = dict[str, list[float | None]]
SE = contrasts_for("add-one", ["se"])
TRICKS = ["se", "decay", "tta"]


def draw(design: str, tricks: Sequence[str], blocks: int, seed: int = 0, **effects: float) -> Cells:
    """Scores around .9 with σ = .01 for every cell of a design, plus each trick's effect."""
    rng = np.random.default_rng(seed)
    return {
        default_cell_name(cell): list(0.9 + 0.01 * rng.standard_normal(blocks) + sum(effects.get(t, 0.0) for t in cell))
        for cell in design_cells(design, tricks)
    }


def judged(blocks: int = 5, seed: int = 0, design: str = "both", **options: Any) -> Judgement:
    cells = draw(design, TRICKS, blocks, seed, decay=0.05, se=-0.05)
    return judge_experiment(cells, contrasts_for(design, TRICKS), **options)


def pair(base: Sequence[float | None], trick: Sequence[float | None], **options: Any) -> Judgement:
    return judge_experiment({"baseline": base, "+se": trick}, SE, **options)


def shifted(differences: Sequence[float]) -> Judgement:
    base = [0.9, 0.91, 0.89, 0.92, 0.88, 0.9, 0.93, 0.9, 0.91, 0.9][: len(differences)]
    return pair(base, [b + d for b, d in zip(base, differences, strict=True)], delta=0.01)


def test_helps_hurts_and_undecided() -> None:
    result = judged(delta=0.005)
    assert {trick.name: trick.verdict for trick in result.tricks} == {
        "decay": "helps",
        "se": "hurts",
        "tta": "undecided",
    }
    assert (result.tier, result.level, result.tricks_judged) == ("evidence", 0.05, 3)
    assert result.trick("decay").worth_it is True
    assert result.trick("se").worth_it is False
    for trick in result.tricks:
        assert trick.method == "pooled"
        assert trick.interval is not None
        assert (trick.interval[0] > 0) == (trick.verdict == "helps")
        assert (trick.interval[1] < 0) == (trick.verdict == "hurts")
    undecided = result.trick("tta")
    assert undecided.blocks_needed is not None
    assert undecided.blocks_needed > 0
    assert f"{undecided.blocks_needed} more blocks" in undecided.text


def test_worth_it_needs_the_lower_end_above_delta() -> None:
    result = shifted([0.012, 0.03, 0.02, 0.015, 0.025])
    assert result.tricks[0].verdict == "helps"
    assert result.tricks[0].worth_it is (result.tricks[0].interval is not None and result.tricks[0].interval[0] > 0.01)
    assert result.tricks[0].worth_it is True
    small = shifted([0.005, 0.006, 0.004, 0.005, 0.006])
    assert (small.tricks[0].verdict, small.tricks[0].worth_it) == ("helps", False)
    assert "not shown to be worth" in small.tricks[0].text


@pytest.mark.parametrize("scale", [0.002, 0.02])
def test_equivalent_is_two_one_sided_tests(scale: float) -> None:
    differences = scale * np.array([1.0, -0.9, 0.5, -0.6, 0.1])
    result = shifted(list(differences))
    high = stats.ttest_1samp(differences, 0.01, alternative="less").pvalue
    low = stats.ttest_1samp(differences, -0.01, alternative="greater").pvalue
    assert (result.tricks[0].verdict == "equivalent") == (max(high, low) < 0.05)
    assert result.tricks[0].verdict == ("equivalent" if scale < 0.01 else "undecided")


def test_without_delta_three_things_are_not_said() -> None:
    for seed in range(5):
        for trick in judged(seed=seed).tricks:
            assert trick.verdict in ("helps", "hurts", "undecided")
            assert trick.worth_it is None
            assert trick.futile is None
            assert trick.blocks_needed is None
            assert trick.smallest_detectable is not None


@pytest.mark.parametrize(("blocks", "word"), [(1, "smoke"), (2, "smoke"), (3, "screening"), (4, "screening")])
def test_few_blocks_make_no_claim(blocks: int, word: str) -> None:
    result = judged(blocks, delta=0.005)
    assert {trick.verdict for trick in result.tricks} == {word}
    assert result.tier == word
    decay = result.trick("decay")
    assert decay.effect == pytest.approx(0.05, abs=0.02)
    assert decay.steadiness is None or decay.steadiness.verdict == "undecided"
    if blocks >= 2:
        assert decay.interval is not None
    if word == "screening":
        assert decay.survives is True
        assert "no claim" in decay.text


def test_identical_arms_are_exactly_zero() -> None:
    base = [0.9498, 0.9786, 0.9560, 0.1 + 0.2, 0.97]
    for design in ("add-one", "leave-one-out", "both", "full"):
        cells: Cells = {default_cell_name(cell): list(base) for cell in design_cells(design, TRICKS)}
        for delta, word in ((0.005, "equivalent"), (None, "undecided")):
            result = judge_experiment(cells, contrasts_for(design, TRICKS), delta=delta, looks=[5, 10])
            json.dumps(result.to_dict(), allow_nan=False)
            for trick in result.tricks:
                assert (trick.effect, trick.interval, trick.p, trick.p_holm) == (0.0, (0.0, 0.0), 1.0, 1.0)
                assert trick.verdict == word
                assert trick.steadiness is not None
                assert (trick.steadiness.ratio, trick.steadiness.verdict) == (1.0, "undecided")


@pytest.mark.parametrize("level", [0.0, 1.0, 0.1])
def test_constant_scores_are_never_nan(level: float) -> None:
    cells: Cells = {default_cell_name(cell): [level] * 6 for cell in design_cells("both", TRICKS)}
    result = judge_experiment(cells, contrasts_for("both", TRICKS), delta=0.01)
    json.dumps(result.to_dict(), allow_nan=False)
    assert result.rho is None
    assert {trick.verdict for trick in result.tricks} == {"equivalent"}


def test_blocks_without_any_randomness_prove_nothing() -> None:
    result = pair([0.9] * 5, [0.95] * 5, delta=0.005)
    assert result.tricks[0].verdict == "undecided"
    assert any("drawn at random" in flag for flag in result.tricks[0].flags)
    same_gain = pair([0.9, 0.91, 0.92, 0.93, 0.94], [0.95, 0.96, 0.97, 0.98, 0.99], delta=0.005)
    assert same_gain.tricks[0].verdict == "helps"


def test_only_complete_blocks_are_used() -> None:
    cells = draw("add-one", ["se", "ema"], 7)
    cells["+se"][1] = None
    cells["+ema"] = cells["+ema"][:6]
    result = judge_experiment(cells, contrasts_for("add-one", ["se", "ema"]))
    assert result.block_indices == (0, 2, 3, 4, 5)
    assert [arm.n for arm in result.arms] == [5, 5, 5]
    kept = {name: [scores[block] for block in result.block_indices] for name, scores in cells.items()}
    again = judge_experiment(kept, contrasts_for("add-one", ["se", "ema"]))
    assert [trick.p for trick in again.tricks] == [trick.p for trick in result.tricks]


def test_nothing_run_yet() -> None:
    result = pair([None, None], [])
    assert (result.blocks, result.tricks[0].verdict, result.tricks[0].effect) == (0, "smoke", None)
    json.dumps(result.to_dict(), allow_nan=False)


def test_looks_set_level_and_blocks() -> None:
    result = judged(10, looks=[5, 10], look=1)
    assert (result.blocks, result.blocks_declared, result.level, result.tier) == (5, 5, 0.0278, "evidence")
    result = judged(10, looks=[5, 10], look=2)
    assert (result.blocks, result.level, result.tier) == (10, 0.0278, "strong")
    assert judged(10, looks=[5, 10], look=1, final=True).level == 0.05
    assert judged(10, looks=[5]).level == 0.05
    low, high = judged(10, looks=[5, 10], look=1).tricks[0].interval or (0, 0)
    wide = judged(5).tricks[0].interval or (0, 0)
    assert high - low > wide[1] - wide[0]


def test_an_unfinished_look_makes_no_claim() -> None:
    result = judged(7, delta=0.005, looks=[5, 10], look=2)
    assert (result.blocks, result.early, result.tier) == (7, True, "screening")
    assert {trick.verdict for trick in result.tricks} == {"screening"}
    assert "7 of the 10 declared blocks" in result.notes[0]


def test_direction_min_mirrors_everything() -> None:
    cells = draw("both", TRICKS, 6, seed=3, decay=0.03)
    mirrored: Cells = {name: [-s for s in scores if s is not None] for name, scores in cells.items()}
    first = judge_experiment(cells, contrasts_for("both", TRICKS), delta=0.005)
    second = judge_experiment(mirrored, contrasts_for("both", TRICKS), delta=0.005, direction="min")
    assert first.trick("decay").verdict == "helps"
    assert [trick.text for trick in first.tricks] == [trick.text for trick in second.tricks]
    assert second.arms[0].mean == pytest.approx(-(first.arms[0].mean or 0.0))


def test_not_live_and_refused_have_no_verdict() -> None:
    result = judged(delta=0.005, design="add-one", not_live=["se"], refused={"+tta": "other data digest"})
    assert {trick.name: trick.verdict for trick in result.tricks} == {
        "se": "not_live",
        "decay": "helps",
        "tta": "refused",
    }
    assert result.trick("se").live is False
    assert result.trick("tta").live is True
    assert "other data digest" in result.trick("tta").text
    assert result.trick("se").effect is None
    assert result.tricks_judged == 1
    alone = judge_experiment(
        draw("add-one", TRICKS, 5, decay=0.05, se=-0.05), contrasts_for("add-one", ["decay"]), delta=0.005
    )
    assert alone.tricks[0].p_holm == result.trick("decay").p_holm


def test_a_dead_cell_does_not_hold_up_the_others() -> None:
    cells = draw("add-one", ["se", "ema"], 5, se=0.05)
    cells["+ema"] = [None] * 5
    result = judge_experiment(cells, contrasts_for("add-one", ["se", "ema"]), not_live=["ema"])
    assert (result.blocks, result.trick("se").verdict, result.trick("ema").verdict) == (5, "helps", "not_live")
    assert result.arms[2].n == 0
    assert result.arms[2].mean is None


def test_a_dead_trick_takes_along_the_contrasts_that_need_its_cells() -> None:
    result = judged(not_live=["+se+decay+tta"])
    assert {trick.verdict for trick in result.tricks} == {"not_live"}
    assert result.blocks == 0


def test_pooled_from_four_cells_on() -> None:
    assert judged(design="add-one").tricks[0].method == "pooled"
    cells = draw("add-one", ["se", "ema"], 5)
    result = judge_experiment(cells, contrasts_for("add-one", ["se", "ema"]))
    assert [trick.method for trick in result.tricks] == ["paired", "paired"]
    assert result.tricks[0].p == pytest.approx(
        stats.ttest_rel(*np.array([cells["+se"], cells["baseline"]], float)).pvalue
    )


def test_a_noisy_arm_is_told() -> None:
    cells = draw("add-one", TRICKS, 5)
    cells["+tta"] = [0.2, 0.9, 0.5, 0.7, 0.95]
    result = judge_experiment(cells, contrasts_for("add-one", TRICKS))
    assert [trick.method for trick in result.tricks] == ["pooled", "pooled", "paired"]
    assert any("varies more" in flag for flag in result.trick("tta").flags)
    assert any("left the variance pool" in note for note in result.notes)
    assert [arm.pool for arm in result.arms] == [True, True, True, False]


def test_sign_flips_from_six_blocks_on() -> None:
    assert judged(5).trick("decay").sign_flip_p is None
    assert judged(6).trick("decay").sign_flip_p == pytest.approx(2 / 64)
    assert judged(10).trick("decay").sign_flip_p == pytest.approx(2 / 1024)


def test_disagreement_and_a_heavy_block_are_flagged() -> None:
    heavy = shifted([0.001, 0.002, 0.001, 0.003, 0.002, 0.5, 0.001])
    assert heavy.tricks[0].sign_flip_p == pytest.approx(2 / 2**7)
    assert any("disagree" in flag for flag in heavy.tricks[0].flags)
    assert "block 5 carries 98 % of the effect" in heavy.tricks[0].flags
    assert not shifted([0.02, 0.021, 0.019, 0.02, 0.02, 0.02, 0.021]).tricks[0].flags
    turned = shifted([0.05, -0.01, -0.01, -0.01, -0.01])
    assert "without block 0 the effect would have the other sign" in turned.tricks[0].flags


def test_wins() -> None:
    result = shifted([0.02, 0.01, 0.0, 0.01, -0.01])
    assert (result.tricks[0].wins, result.tricks[0].wins_count) == (0.6, 3)
    assert result.tricks[0].wins_interval == pytest.approx(tuple(stats.binomtest(3, 5).proportion_ci()))


def test_interaction_and_pairs() -> None:
    cells = draw("both", TRICKS, 5, decay=0.05)
    result = judge_experiment(cells, contrasts_for("both", TRICKS))
    decay = result.trick("decay")
    alone, kept = (pair.effect for pair in decay.pairs)
    assert decay.effect == pytest.approx((alone + kept) / 2)
    assert decay.interaction == pytest.approx((kept - alone) / 2)
    assert decay.interaction_interval is not None
    assert decay.interaction_interval[0] < (decay.interaction or 0.0) < decay.interaction_interval[1]


def test_cells_that_cancel_and_pairs_that_overlap() -> None:
    cells = draw("add-one", ["a", "b"], 6)
    chain = Contrast("a", "both", {"+b": 0.5, "baseline": -0.5}, None, (("+a", "baseline"), ("+b", "+a")))
    result = judge_experiment(cells, [chain])
    (trick,) = result.tricks
    assert [arm.n for arm in result.arms] == [6, 6, 6]
    assert sum(pair.effect for pair in trick.pairs) / 2 == pytest.approx(trick.effect)
    first = judge_experiment(cells, contrasts_for("add-one", ["a"]))
    assert trick.steadiness == first.tricks[0].steadiness
    assert chain.cells == ("+b", "baseline", "+a")


def test_many_tricks_are_screened_by_false_discovery_rate() -> None:
    tricks = [f"t{i}" for i in range(12)]
    cells = draw("add-one", tricks, 3, t0=0.1, t1=-0.1)
    result = judge_experiment(cells, contrasts_for("add-one", tricks))
    expected = stats.false_discovery_control([trick.p for trick in result.tricks])
    assert [trick.q for trick in result.tricks] == pytest.approx(list(expected))
    assert [trick.name for trick in result.tricks if trick.survives] == ["t0"]
    assert (result.trick("t1").q or 1.0) < 0.05
    fewer = judge_experiment(draw("add-one", tricks[:11], 3), contrasts_for("add-one", tricks[:11]))
    assert fewer.tricks[0].q is None


def test_futility_and_price() -> None:
    result = judged(10, delta=0.04, looks=[5, 10], look=1, cost_per_block=0.5)
    assert result.trick("tta").futile is True
    assert result.trick("decay").futile is False
    tight = judged(delta=0.001, cost_per_block=0.5).trick("tta")
    assert tight.cost_needed == 0.5 * (tight.blocks_needed or 0) > 0
    assert f"({tight.cost_needed:.3g} device-hours)" in tight.text


def test_other_data_interval_is_wider() -> None:
    trick = judged(train_test_ratio=9.0).tricks[0]
    low, high = trick.interval or (0.0, 0.0)
    other = trick.other_data_interval or (0.0, 0.0)
    assert other[1] - other[0] == pytest.approx((high - low) * np.sqrt(1 + 5 / 9))
    assert judged().tricks[0].other_data_interval is None


def test_pairing_note() -> None:
    rng = np.random.default_rng(0)
    shared = 0.1 * rng.standard_normal(8)
    base, trick = (list(0.9 + shared + 0.01 * rng.standard_normal(8)) for _ in range(2))
    result = pair(base, trick)
    assert result.rho is not None
    assert result.rho > 0.9
    assert not result.notes
    independent = pair(base, trick[::-1])
    assert independent.rho is not None
    assert independent.rho < 0.1
    assert "pairing did not help" in independent.notes[0]


def test_steadiness_has_its_own_row() -> None:
    rng = np.random.default_rng(5)
    result = pair(list(0.9 + 0.02 * rng.standard_normal(10)), list(0.9 + 0.0005 * rng.standard_normal(10)))
    steadiness = result.tricks[0].steadiness
    assert result.tricks[0].verdict == "undecided"
    assert steadiness is not None
    assert (steadiness.verdict, steadiness.confirmed) == ("steadier", True)


def test_machine_readable_result() -> None:
    plain = json.loads(json.dumps(judged(delta=0.005, looks=[5, 10], train_test_ratio=1.0).to_dict(), allow_nan=False))
    assert {"arms", "tricks", "rho", "look", "level", "blocks", "delta", "direction"} <= set(plain)
    assert {"name", "cell", "n", "failed", "mean", "sd", "cost"} <= set(plain["arms"][0])
    wanted = (
        "name effect interval interaction p p_holm wins steadiness verdict blocks_needed live worth_it wins_interval"
    )
    for trick in plain["tricks"]:
        assert set(wanted.split()) <= set(trick)
        assert trick["verdict"] in VERDICTS
        assert len(trick["interval"]) == 2
        assert {"ratio", "p", "verdict", "check_p"} <= set(trick["steadiness"])
    with pytest.raises(KeyError):
        judged().trick("nothing")


def test_cells_that_score_one_training_count_once() -> None:
    rng = np.random.default_rng(0)
    fits = {"baseline": rng.normal(0.9, 0.01, 6), "+se": rng.normal(0.9, 0.01, 6)}
    cells: Cells = {name: scores.tolist() for name, scores in fits.items()}
    cells |= {f"{name if name != 'baseline' else ''}+ema": (s + 1e-5).tolist() for name, s in fits.items()}
    trainings = {"+ema": "baseline", "+se+ema": "+se"}
    failed = {name: [False, True, *[False] * 4] for name in ("+se", "+se+ema")}
    contrasts = contrasts_for("both", ["se", "ema"])
    found = judge_experiment(cells, contrasts, trainings=trainings, failed=failed)
    se = found.trick("se")
    assert (se.method, se.df) == ("paired", 5.0)
    assert se.failures is not None
    assert (se.failures.failed_with, se.failures.runs_with, se.failures.runs_without) == (1, 6, 6)
    twice = judge_experiment(cells, contrasts, failed=failed).trick("se")
    assert (twice.method, twice.df) == ("pooled", 15.0)
    assert twice.failures is not None
    assert twice.failures.failed_with == 2
    plain = judge_experiment(cells, contrasts, trainings=trainings)
    reference = stats.pearsonr(fits["baseline"], fits["+se"]).statistic
    assert plain.rho is not None
    assert np.sign(plain.rho) == np.sign(reference)
    assert abs(plain.rho) <= abs(reference) + 1e-9
    alone = judge_experiment({n: cells[n] for n in fits}, contrasts_for("add-one", ["se"]))
    assert plain.trick("se").steadiness is not None
    assert alone.trick("se").steadiness is not None
    assert plain.trick("se").steadiness.p == pytest.approx(alone.trick("se").steadiness.p, rel=1e-9)


def test_a_training_of_a_cell_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UserError, match="no scores of cell 'gone'"):
        judge_experiment(draw("add-one", ["se"], 5), SE, trainings={"+se": "gone"})
