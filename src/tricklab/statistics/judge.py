"""The verdict on an experiment: every rule of the plan applied to the scores of its cells."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tricklab.errors import UserError
from tricklab.statistics.arms import summarise_arms
from tricklab.statistics.blocked import BlockedFit, contrast_values, fit_blocked
from tricklab.statistics.contrasts import Contrast
from tricklab.statistics.failures import failure_counts, without_failures
from tricklab.statistics.judgement import Judgement, PairEffect, TrickJudgement
from tricklab.statistics.looks import level_for
from tricklab.statistics.multiplicity import benjamini_hochberg, holm
from tricklab.statistics.other_data import nadeau_bengio
from tricklab.statistics.pairing import HELPS_FROM, pairing_correlation
from tricklab.statistics.power import blocks_for, smallest_detectable
from tricklab.statistics.signflip import floor, sign_flip_p
from tricklab.statistics.steadiness import Steadiness, paired_steadiness
from tricklab.statistics.table import Table, complete_blocks
from tricklab.statistics.tiers import EVIDENCE_FROM, Tier, tier
from tricklab.statistics.verdict import sentence, verdict
from tricklab.statistics.wins import clopper_pearson

Direction = Literal["max", "min"]
SCREEN_FROM = 12


def judge_experiment(
    cells: Mapping[str, Sequence[float | None]],
    contrasts: Sequence[Contrast],
    *,
    direction: Direction = "max",
    delta: float | None = None,
    looks: Sequence[int] = (),
    look: int = 1,
    final: bool = False,
    failed: Mapping[str, Sequence[bool]] | None = None,
    not_live: Collection[str] = (),
    refused: Mapping[str, str] | None = None,
    train_test_ratio: float | None = None,
    cost_per_block: float | None = None,
) -> Judgement:
    """Judge tricks by the scores of the cells they were run in.

    cells: the primary metric of each cell, one entry a block; None = not run yet (unless it failed). Only blocks in which
    every judged cell has a score or failed are used, and of those no more than the look declares.
    contrasts: what is estimated, one per trick (`contrasts_for`). direction: which way the metric is better.
    delta: the smallest effect worth having, in the metric's unit; without it no equivalence, futility or `worth it`.
    looks: declared numbers of blocks, rising ([5, 10]); empty = a fixed design at .05 with whatever is there.
    look: which of them this is, from 1. final: all of .05 is spent at look 1 and there is no later one.
    failed: which runs diverged or raised. not_live, refused (with reasons): names of tricks or of cells; a trick that
    touches such a cell gets that word instead of a verdict. train_test_ratio: training samples per test sample, where
    blocks redraw the split (for the interval on other data). cost_per_block: of all arms, in any unit (device-hours).

    Raises UserError for input that contradicts itself.
    """
    _check(cells, contrasts, direction, delta, looks, look, final)
    level = level_for(looks, final=final)
    declared = int(looks[look - 1]) if looks else None
    out = _ruled_out(cells, contrasts, not_live, refused or {})
    judged, table = _settle(cells, contrasts, failed, out, direction, declared)
    blocks = len(table.blocks)
    early = declared is not None and blocks < declared
    reached: Tier = tier(blocks)
    if early and reached in ("evidence", "strong"):
        reached = "screening"

    sign = 1.0 if direction == "max" else -1.0
    results = {
        contrast.name: _excluded(contrast, *out[contrast.name]) for contrast in contrasts if contrast.name in out
    }
    fit = None
    if judged and blocks >= 1:
        found, fit = _judge_all(judged, table, sign, reached, level, delta, train_test_ratio, cost_per_block)
        results |= found
    elif judged:
        results |= {c.name: TrickJudgement(c.name, c.kind, "smoke", "smoke: no complete block yet") for c in judged}

    rho = pairing_correlation(table.scores)
    return Judgement(
        direction=direction,
        delta=delta,
        blocks=blocks,
        block_indices=table.blocks,
        blocks_declared=declared,
        early=early,
        tier=reached,
        looks=tuple(int(count) for count in looks),
        look=look,
        final=final,
        level=level,
        rho=rho,
        tricks_judged=len(judged),
        tricks=tuple(results[contrast.name] for contrast in contrasts),
        arms=summarise_arms(cells, failed, table, None if fit is None else fit.in_pool),
        notes=_notes(table, fit, rho, early, declared),
    )


def _check(
    cells: Mapping[str, Sequence[float | None]],
    contrasts: Sequence[Contrast],
    direction: str,
    delta: float | None,
    looks: Sequence[int],
    look: int,
    final: bool,
) -> None:
    if direction not in ("max", "min"):
        raise UserError(f"unknown direction {direction!r}", fix="max or min")
    if delta is not None and not (np.isfinite(delta) and delta > 0):
        raise UserError(f"delta must be a positive number in the metric's unit, not {delta!r}", where="metric.delta")
    if not 1 <= look <= max(len(looks), 1):
        raise UserError(f"look {look} of {len(looks)} declared", fix="looks are counted from 1")
    if final and look != 1:
        raise UserError("--final spends the whole level at the first look", fix="judge the later look without it")
    names = [contrast.name for contrast in contrasts]
    if len(set(names)) < len(names):
        raise UserError(f"two contrasts have one name: {sorted(n for n in names if names.count(n) > 1)[0]!r}")
    for contrast in contrasts:
        for cell in contrast.cells:
            if cell not in cells:
                raise UserError(f"there are no scores of cell {cell!r}", where=f"contrast {contrast.name!r}")


def _ruled_out(
    cells: Mapping[str, object], contrasts: Sequence[Contrast], not_live: Collection[str], refused: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Contrasts without a verdict: name → (word, reason)."""
    names = {contrast.name for contrast in contrasts}
    for given in (*not_live, *refused):
        if given not in names and given not in cells:
            raise UserError(f"{given!r} is neither a trick nor a cell of this experiment", where="not_live / refused")
    out: dict[str, tuple[str, str]] = {}
    for contrast in contrasts:
        for name in (contrast.name, *contrast.cells):
            place = "" if name == contrast.name else f" in cell {name}"
            if name in not_live:
                out[contrast.name] = "not_live", f"the probe saw no sign of it{place}"
                break
            if name in refused:
                out[contrast.name] = "refused", f"{refused[name]}{place}"
                break
    return out


def _settle(
    cells: Mapping[str, Sequence[float | None]],
    contrasts: Sequence[Contrast],
    failed: Mapping[str, Sequence[bool]] | None,
    out: dict[str, tuple[str, str]],
    direction: str,
    most: int | None,
) -> tuple[list[Contrast], Table]:
    """The contrasts that can be judged and their complete blocks; those with a cell that always failed go into `out`."""
    while True:
        judged = [contrast for contrast in contrasts if contrast.name not in out]
        used = {cell for contrast in judged for cell in contrast.cells}
        table = complete_blocks(cells, failed, used, highest_is_worst=direction == "min", most=most)
        lost = [(contrast, cell) for contrast in judged for cell in contrast.cells if cell in table.dead]
        if not lost:
            return judged, table
        for contrast, cell in lost:
            out[contrast.name] = "refused", f"cell {cell} {table.dead[cell]}"


def _excluded(contrast: Contrast, word: str, reason: str) -> TrickJudgement:
    return TrickJudgement(contrast.name, contrast.kind, word, f"{word}: {reason}", live=word != "not_live")


def _judge_all(
    judged: Sequence[Contrast],
    table: Table,
    sign: float,
    reached: Tier,
    level: float,
    delta: float | None,
    train_test_ratio: float | None,
    cost_per_block: float | None,
) -> tuple[dict[str, TrickJudgement], BlockedFit | None]:
    scores = sign * table.scores
    weights = np.array([[contrast.weights.get(cell, 0.0) for cell in table.cells] for contrast in judged])
    values = contrast_values(scores, weights)
    described = [_describe(contrast, table, scores, values[:, row], level) for row, contrast in enumerate(judged)]
    if len(table.blocks) < 2:
        return {
            trick.name: replace(
                trick, verdict=reached, text=f"smoke: {trick.effect:+.3g} in one block, says nothing yet"
            )
            for trick in described
        }, None

    fit = fit_blocked(scores, weights)
    adjusted = holm(fit.p)
    rates = benjamini_hochberg(fit.p) if len(judged) >= SCREEN_FROM else None
    described = _with_steadiness(described, reached, level)
    low, high = fit.interval(level)
    low_90, high_90 = fit.interval(0.10)
    results = {}
    for row, (contrast, trick) in enumerate(zip(judged, described, strict=True)):
        interval, inner = (float(low[row]), float(high[row])), (float(low_90[row]), float(high_90[row]))
        effect, sd, df = float(fit.effect[row]), float(fit.sd[row]), float(fit.df[row])
        word = verdict(reached, float(adjusted[row]), effect, inner, level=level, delta=delta)
        flags = list(trick.flags)
        if word in ("helps", "hurts") and _never_varies(scores, weights[row]):
            word = "undecided"
            flags.append("every cell scored the same in all blocks: in effect there is one block; is anything random?")
        arms = int(fit.in_pool.sum()) if fit.pooled[row] else 2
        needed = None
        if delta is not None and word in ("undecided", "screening", "smoke"):
            total = blocks_for(delta, sd, arms=arms, level=level, tests=len(judged))
            needed = None if total is None else max(0, max(total, EVIDENCE_FROM) - len(table.blocks))
        smallest = smallest_detectable(sd, len(table.blocks), df=df, level=level, tests=len(judged))
        worth_it = None if delta is None else word == "helps" and interval[0] > delta
        cost = None if needed is None or cost_per_block is None else needed * cost_per_block
        screened = float(adjusted[row] if rates is None else rates[row])
        flags += _disagreement(trick.sign_flip_p, float(fit.p[row]), len(table.blocks), level)
        flags += _outsiders(contrast, table, fit)
        results[contrast.name] = replace(
            trick,
            verdict=word,
            text=sentence(
                word,
                effect=effect,
                interval=interval,
                delta=delta,
                worth_it=worth_it,
                needed=needed,
                cost=cost,
                smallest=smallest,
            ),
            worth_it=worth_it,
            effect=effect,
            interval=interval,
            interval_90=inner,
            p=float(fit.p[row]),
            p_holm=float(adjusted[row]),
            q=None if rates is None else float(rates[row]),
            survives=screened < level if reached == "screening" else None,
            method="pooled" if fit.pooled[row] else "paired",
            sd=sd,
            df=df,
            blocks_needed=needed,
            cost_needed=cost,
            smallest_detectable=smallest,
            futile=None if delta is None else interval[1] < delta,
            other_data_interval=None
            if train_test_ratio is None
            else nadeau_bengio(effect, float(fit.standard_error[row]), df, len(table.blocks), train_test_ratio, level),
            flags=tuple(flags),
            **_interaction(contrast, table, scores, level),
        )
    return results, fit


def _describe(
    contrast: Contrast, table: Table, scores: NDArray[np.float64], values: NDArray[np.float64], level: float
) -> TrickJudgement:
    """Everything that needs neither the error model nor the other tricks."""
    blocks = len(values)
    wins = int((values > 0).sum())
    pairs = tuple(
        PairEffect(
            on, off, float(contrast_values(scores[:, [table.column(off), table.column(on)]], [[-1.0, 1.0]]).mean())
        )
        for on, off in contrast.pairs
    )
    steadiness = None
    if contrast.pairs and blocks >= 2:
        ons, offs = (scores[:, [table.column(pair[side]) for pair in contrast.pairs]].T for side in (0, 1))
        steadiness = paired_steadiness(ons, offs)
    flags = []
    total = float(values.sum())
    if blocks >= 3 and total != 0:
        shares = values / total
        if shares.max() > 0.5:
            heaviest = table.blocks[int(shares.argmax())]
            flags.append(f"block {heaviest} carries {100 * shares.max():.0f} % of the effect")
    columns = {sign: [table.column(c) for c, w in contrast.weights.items() if sign * w > 0] for sign in (1, -1)}
    lost = {sign: table.failed[:, columns[sign]] for sign in (1, -1)}
    touched = lost[1].any(axis=1) | lost[-1].any(axis=1)
    failures = second = None
    if touched.any():
        failures = failure_counts(int(lost[1].sum()), lost[1].size, int(lost[-1].sum()), lost[-1].size)
        second = without_failures(values, touched, level)
        flags.append(
            f"failed runs stand as the worst observed value: {failures.failed_with} of {failures.runs_with} with the trick, "
            f"{failures.failed_without} of {failures.runs_without} without (exact p {failures.p:.2g})"
        )
    return TrickJudgement(
        contrast.name,
        contrast.kind,
        "smoke",
        "",
        effect=float(values.mean()),
        pairs=pairs,
        differences=tuple(float(value) for value in values),
        wins=wins / blocks,
        wins_count=wins,
        wins_interval=clopper_pearson(wins, blocks),
        steadiness=steadiness,
        sign_flip_p=sign_flip_p(values),
        failures=failures,
        without_failures=second,
        flags=tuple(flags),
    )


def _with_steadiness(tricks: Sequence[TrickJudgement], reached: Tier, level: float) -> list[TrickJudgement]:
    """The words of the steadiness row: Holm over the tricks' tests; no claim below five blocks."""
    tested = [t.steadiness.p for t in tricks if t.steadiness is not None and t.steadiness.p is not None]
    if not tested or reached in ("smoke", "screening"):
        return list(tricks)
    adjusted = iter(holm(tested))
    result = []
    for trick in tricks:
        steadiness: Steadiness | None = trick.steadiness
        if steadiness is None or steadiness.p is None:
            result.append(trick)
            continue
        steadiness = steadiness.judged(float(next(adjusted)), level)
        flags = trick.flags
        if steadiness.confirmed is False:
            flags = (
                *flags,
                f"{steadiness.verdict}: not confirmed by Brown-Forsythe (p {steadiness.check_p:.2g}), look for outliers",
            )
        result.append(replace(trick, steadiness=steadiness, flags=flags))
    return result


def _interaction(contrast: Contrast, table: Table, scores: NDArray[np.float64], level: float) -> dict[str, object]:
    if contrast.interaction_weights is None:
        return {}
    weights = np.array([[contrast.interaction_weights.get(cell, 0.0) for cell in table.cells]])
    fit = fit_blocked(scores, weights)
    low, high = fit.interval(level)
    return {
        "interaction": float(fit.effect[0]),
        "interaction_interval": (float(low[0]), float(high[0])),
        "interaction_p": float(fit.p[0]),
    }


def _never_varies(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> bool:
    touched = scores[:, weights != 0]
    return bool((touched == touched[0]).all())


def _disagreement(exact: float | None, p: float, blocks: int, level: float) -> list[str]:
    if exact is None or floor(blocks) >= level or (exact < level) == (p < level):
        return []
    return [f"the sign-flip test (p {exact:.2g}) and the t test (p {p:.2g}) disagree at the level {level:.3g}"]


def _outsiders(contrast: Contrast, table: Table, fit: BlockedFit) -> list[str]:
    if len(table.cells) < 4 or bool(fit.in_pool.all()):
        return []
    noisy = [cell for cell in contrast.cells if not fit.in_pool[table.column(cell)]]
    return [f"own paired t: the variance of {', '.join(noisy)} is not that of the others"] if noisy else []


def _notes(
    table: Table, fit: BlockedFit | None, rho: float | None, early: bool, declared: int | None
) -> tuple[str, ...]:
    notes = []
    if early:
        notes.append(
            f"{len(table.blocks)} of the {declared} declared blocks are complete: no claim before they all are"
        )
    if rho is not None and rho < HELPS_FROM:
        notes.append(f"pairing did not help: the correlation within blocks is {rho:.2f}")
    if fit is not None and fit.in_pool.any():
        for position, cell in enumerate(table.cells):
            if not fit.in_pool[position]:
                notes.append(f"{cell} left the variance pool (F test p {fit.variance_p[position]:.2g})")
    return tuple(notes)
