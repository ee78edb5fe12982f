"""From descriptions to verdicts: the error model, the family of tricks, and the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tricklab.statistics.blocked import BlockedFit, fit_blocked
from tricklab.statistics.contrasts import Contrast
from tricklab.statistics.describe import describe
from tricklab.statistics.judgement import TrickJudgement
from tricklab.statistics.multiplicity import benjamini_hochberg, holm
from tricklab.statistics.other_data import nadeau_bengio
from tricklab.statistics.power import blocks_for, smallest_detectable
from tricklab.statistics.signflip import floor
from tricklab.statistics.table import Table
from tricklab.statistics.tiers import EVIDENCE_FROM, Tier
from tricklab.statistics.verdict import sentence, verdict

SCREEN_FROM = 12
EQUIVALENCE = 0.10


@dataclass(frozen=True)
class Terms:
    """What was declared and what follows from the number of blocks."""

    tier: Tier
    level: float
    delta: float | None
    train_test_ratio: float | None
    cost_per_block: float | None


def decide(
    contrasts: Sequence[Contrast], table: Table, scores: NDArray[np.float64], terms: Terms
) -> tuple[dict[str, TrickJudgement], BlockedFit | None]:
    """Judge all `contrasts` together on at least one complete block; the fit is None with one block.

    scores: (n, C) of the table's cells, oriented so that more is better.
    """
    described = [describe(contrast, table, scores, terms.level) for contrast in contrasts]
    if len(table.blocks) < 2:
        text = "smoke: {:+.3g} in one block, says nothing yet"
        return {trick.name: replace(trick, text=text.format(trick.effect)) for trick in described}, None
    weights = np.array([[contrast.weights.get(cell, 0.0) for cell in table.cells] for contrast in contrasts])
    fit = fit_blocked(scores, weights, table.trainings)
    described = judge_steadiness(described, terms.tier, terms.level)
    adjusted = holm(fit.p)
    rates = benjamini_hochberg(fit.p) if len(contrasts) >= SCREEN_FROM else None
    results = {}
    for row, (contrast, trick) in enumerate(zip(contrasts, described, strict=True)):
        trick = _estimated(trick, fit, row, float(adjusted[row]), None if rates is None else float(rates[row]), terms)
        trick = _interacting(trick, contrast, table, scores, terms.level)
        flags = (*trick.flags, *_disagreement(trick, terms.level), *_outsiders(contrast, table, fit))
        arms = 1.0 + float(fit.df[row]) / (len(table.blocks) - 1)
        unvaried = bool((scores[:, weights[row] != 0] == scores[0, weights[row] != 0]).all())
        results[contrast.name] = _worded(replace(trick, flags=flags), terms, len(contrasts), arms, unvaried)
    return results, fit


def judge_steadiness(tricks: Sequence[TrickJudgement], tier: Tier, level: float) -> list[TrickJudgement]:
    """The words of the steadiness row: Holm over the tricks' tests; no claim below five blocks."""
    tested = {trick.name: trick.steadiness.p for trick in tricks if trick.steadiness and trick.steadiness.p is not None}
    if tier in ("smoke", "screening"):
        return list(tricks)
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    result = []
    for trick in tricks:
        if trick.steadiness is not None and trick.name in adjusted:
            steadiness = trick.steadiness.judged(float(adjusted[trick.name]), level)
            doubt = f"{steadiness.verdict}, but Brown-Forsythe does not confirm it (p {steadiness.check_p or 0.0:.2g})"
            flags = (*trick.flags, doubt) if steadiness.confirmed is False else trick.flags
            trick = replace(trick, steadiness=steadiness, flags=flags)
        result.append(trick)
    return result


def _estimated(
    trick: TrickJudgement, fit: BlockedFit, row: int, adjusted: float, rate: float | None, terms: Terms
) -> TrickJudgement:
    effect, error, df = float(fit.effect[row]), float(fit.standard_error[row]), float(fit.df[row])
    low, high = (float(end[row]) for end in fit.interval(terms.level))
    low_90, high_90 = (float(end[row]) for end in fit.interval(EQUIVALENCE))
    blocks = len(trick.differences)
    screening = terms.tier == "screening"
    other = None
    if terms.train_test_ratio is not None:
        other = nadeau_bengio(effect, error, df, blocks, terms.train_test_ratio, terms.level)
    return replace(
        trick,
        effect=effect,
        interval=(low, high),
        interval_90=(low_90, high_90),
        p=float(fit.p[row]),
        p_holm=adjusted,
        q=rate,
        survives=effect > 0 and (adjusted if rate is None else rate) < terms.level if screening else None,
        method="pooled" if fit.pooled[row] else "paired",
        sd=float(fit.sd[row]),
        df=df,
        futile=None if terms.delta is None else high < terms.delta,
        other_data_interval=other,
    )


def _worded(trick: TrickJudgement, terms: Terms, tests: int, arms: float, unvaried: bool) -> TrickJudgement:
    """The verdict, what it would take to know more, and the sentence."""
    assert trick.effect is not None
    assert trick.p_holm is not None
    assert trick.interval is not None
    assert trick.interval_90 is not None
    assert trick.sd is not None
    level, delta, blocks = terms.level, terms.delta, len(trick.differences)
    low, sd = trick.interval[0], trick.sd
    word = verdict(terms.tier, trick.p_holm, trick.effect, trick.interval_90, level=level, delta=delta)
    if word in ("helps", "hurts") and unvaried:
        word = "undecided"
        flag = "every cell scored the same in all blocks, so there is in effect one block: is anything drawn at random?"
        trick = replace(trick, flags=(*trick.flags, flag))
    needed = None
    if delta is not None and word in ("undecided", "screening", "smoke"):
        total = blocks_for(delta, sd, arms=arms, level=level, tests=tests)
        needed = None if total is None else max(0, max(total, EVIDENCE_FROM) - blocks)
    trick = replace(
        trick,
        verdict=word,
        worth_it=None if delta is None else word == "helps" and low > delta,
        blocks_needed=needed,
        cost_needed=None if needed is None or terms.cost_per_block is None else needed * terms.cost_per_block,
        smallest_detectable=smallest_detectable(sd, blocks, df=trick.df, level=level, tests=tests),
    )
    return replace(trick, text=sentence(trick, delta))


def _interacting(
    trick: TrickJudgement, contrast: Contrast, table: Table, scores: NDArray[np.float64], level: float
) -> TrickJudgement:
    if contrast.interaction_weights is None:
        return trick
    weights = np.array([[contrast.interaction_weights.get(cell, 0.0) for cell in table.cells]])
    fit = fit_blocked(scores, weights, table.trainings)
    low, high = (float(end[0]) for end in fit.interval(level))
    return replace(
        trick, interaction=float(fit.effect[0]), interaction_interval=(low, high), interaction_p=float(fit.p[0])
    )


def _disagreement(trick: TrickJudgement, level: float) -> tuple[str, ...]:
    exact, p = trick.sign_flip_p, trick.p
    if exact is None or p is None or floor(len(trick.differences)) >= level or (exact < level) == (p < level):
        return ()
    return (f"the sign-flip test (p {exact:.2g}) and the t test (p {p:.2g}) disagree at the level {level:.3g}",)


def _outsiders(contrast: Contrast, table: Table, fit: BlockedFit) -> tuple[str, ...]:
    if not fit.in_pool.any():
        return ()
    weighed = [cell for cell, weight in contrast.weights.items() if weight != 0]
    noisy = [cell for cell in weighed if not fit.in_pool[table.column(cell)]]
    return (f"own paired t, since {', '.join(noisy)} varies more than the other cells",) if noisy else ()
