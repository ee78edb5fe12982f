"""A verdict on two lists of scores that somebody already has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tricklab.errors import UserError
from tricklab.statistics.contrasts import Contrast
from tricklab.statistics.decide import EQUIVALENCE, judge_steadiness
from tricklab.statistics.judge import Direction, check_declared, judge_experiment
from tricklab.statistics.judgement import ArmSummary, Judgement, TrickJudgement
from tricklab.statistics.looks import OVERALL
from tricklab.statistics.power import blocks_for, smallest_detectable
from tricklab.statistics.steadiness import unpaired_steadiness
from tricklab.statistics.student import interval, p_value
from tricklab.statistics.tiers import EVIDENCE_FROM, SCREENING_FROM, tier
from tricklab.statistics.verdict import sentence, verdict
from tricklab.statistics.welch import WelchFit, welch


def judge_lists(
    a: Sequence[float],
    b: Sequence[float],
    paired: bool = False,
    delta: float | None = None,
    direction: Direction = "max",
) -> Judgement:
    """Is list `b` better than list `a`? The one trick of the result is called B.

    paired: a[i] and b[i] come from the same block (seed, split); judged like an experiment of two arms. Otherwise
    Welch, and an F test for the spread. Unpaired claims need five runs on each side: below that a significant
    difference is only `screening`, and `undecided` stands, since it claims nothing.

    >>> a, b = [0.9498, 0.9786, 0.9560], [0.9780, 0.9778, 0.9808, 0.9802, 0.9797]
    >>> judge_lists(a, b).trick("B").verdict
    'undecided'
    """
    for name, scores in (("A", a), ("B", b)):
        if len(scores) == 0:
            raise UserError("there are no numbers", where=f"list {name}")
        bad = [score for score in scores if not math.isfinite(score)]
        if bad:
            raise UserError(f"{bad[0]} is not a score", where=f"list {name}", fix="leave failed runs out, and say so")
    if paired:
        if len(a) != len(b):
            raise UserError(f"paired lists need one length, not {len(a)} and {len(b)}", fix="leave --paired out")
        contrast = Contrast("B", "list", {"B": 1.0, "A": -1.0})
        return judge_experiment({"A": a, "B": b}, [contrast], direction=direction, delta=delta)
    check_declared(direction, delta)
    trick = _unpaired(a, b, delta, 1.0 if direction == "max" else -1.0)
    fewest = min(len(a), len(b))
    arms = tuple(
        ArmSummary(name, name, len(x), 0, float(np.mean(x)), float(np.std(x, ddof=1)) if len(x) > 1 else None)
        for name, x in (("A", a), ("B", b))
    )
    return Judgement(
        direction=direction,
        delta=delta,
        blocks=fewest,
        block_indices=(),
        blocks_declared=None,
        early=False,
        tier=tier(fewest),
        looks=(),
        look=1,
        final=False,
        level=OVERALL,
        rho=None,
        tricks_judged=1,
        tricks=(trick,),
        arms=arms,
        notes=("unpaired: the runs of A and B share nothing",),
    )


def _unpaired(a: Sequence[float], b: Sequence[float], delta: float | None, sign: float) -> TrickJudgement:
    first, second = sign * np.asarray(b, dtype=float), sign * np.asarray(a, dtype=float)
    fewest = min(len(first), len(second))
    steadiness = unpaired_steadiness(first, second)
    if fewest < 2:
        effect = float(first.mean() - second.mean())
        text = f"smoke: {effect:+.3g}, one run has no spread"
        return TrickJudgement("B", "list", "smoke", text, effect=effect, steadiness=steadiness)
    fit = welch(first, second)
    p = float(p_value(fit.effect, fit.standard_error, fit.df))
    ends, inner = _ends(fit, OVERALL), _ends(fit, EQUIVALENCE)
    word = verdict("evidence", p, fit.effect, inner, level=OVERALL, delta=delta)
    if fewest < SCREENING_FROM:
        word = "smoke"
    elif fewest < EVIDENCE_FROM and word != "undecided":
        word = "screening"
    flags: tuple[str, ...] = ()
    if word in ("helps", "hurts") and fit.standard_error == 0:
        word, flags = "undecided", ("neither list varies, so there is in effect one run of each",)
    sd = math.sqrt(sum(fit.variances))
    squares = sum(variance**2 for variance in fit.variances)
    arms = 3.0 if squares == 0 else 1.0 + sum(fit.variances) ** 2 / squares
    needed = None
    if delta is not None and word in ("undecided", "screening", "smoke"):
        total = blocks_for(delta, sd, arms=arms)
        needed = None if total is None else max(0, max(total, EVIDENCE_FROM) - fewest)
    trick = TrickJudgement(
        "B",
        "list",
        word,
        "",
        worth_it=None if delta is None else word == "helps" and ends[0] > delta,
        effect=fit.effect,
        interval=ends,
        interval_90=inner,
        p=p,
        p_holm=p,
        method="welch",
        sd=sd,
        df=fit.df,
        steadiness=steadiness,
        blocks_needed=needed,
        smallest_detectable=smallest_detectable(fit.standard_error, 1, df=fit.df),
        futile=None if delta is None else ends[1] < delta,
        flags=flags,
    )
    trick = judge_steadiness([trick], "evidence" if fewest >= SCREENING_FROM else "smoke", OVERALL)[0]
    return replace(trick, text=sentence(trick, delta, "runs on each side"))


def _ends(fit: WelchFit, level: float) -> tuple[float, float]:
    low, high = interval(fit.effect, fit.standard_error, fit.df, level)
    return float(low), float(high)
