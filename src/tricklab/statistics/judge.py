"""The verdict on an experiment: every rule of the plan applied to the scores of its cells."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np

from tricklab.errors import UserError
from tricklab.statistics.arms import summarise_arms
from tricklab.statistics.blocked import BlockedFit
from tricklab.statistics.contrasts import Contrast
from tricklab.statistics.decide import Terms, decide
from tricklab.statistics.judgement import Judgement, TrickJudgement
from tricklab.statistics.looks import level_for
from tricklab.statistics.pairing import HELPS_FROM, pairing_correlation
from tricklab.statistics.table import Table, complete_blocks
from tricklab.statistics.tiers import Tier, tier

Direction = Literal["max", "min"]


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
    trainings: Mapping[str, str] | None = None,
) -> Judgement:
    """Judge tricks by the scores of the cells they were run in.

    cells: the primary metric of each cell, one entry a block; None = not run yet (unless it failed). Only blocks in
    which every judged cell has a score or failed are used, and of those no more than the look declares.
    contrasts: what is estimated, one per trick (`contrasts_for`). direction: which way the metric is better.
    delta: the smallest effect worth having, in the metric's unit; without it no equivalence, futility or `worth it`.
    looks: declared numbers of blocks, rising ([5, 10]); empty = a fixed design at .05 with whatever is there.
    look: which of them this is, from 1. final: all of .05 is spent at look 1 and there is no later one.
    failed: which runs diverged or raised. not_live, refused (with reasons): names of tricks or of cells; a trick that
    touches such a cell gets that word instead of a verdict. train_test_ratio: training samples per test sample, where
    blocks redraw the split (for the interval on other data). cost_per_block: device-hours of all arms together.
    trainings: for a cell that scores another cell's training (averaged weights, test-time augmentation) the name of
    that cell. Such cells are not independent, and to leave this out would claim far too much.

    Raises UserError for input that contradicts itself.
    """
    _check(cells, contrasts, direction, delta, looks, look, final)
    if train_test_ratio is not None and not train_test_ratio > 0:
        raise UserError(f"train_test_ratio must be positive, not {train_test_ratio!r}")
    level = level_for(looks, final=final)
    declared = int(looks[look - 1]) if looks else None
    out = _ruled_out(cells, contrasts, not_live, refused or {})
    for cell, source in (trainings or {}).items():
        if cell not in cells or source not in cells:
            raise UserError(f"there are no scores of cell {(source if cell in cells else cell)!r}", where="trainings")
    judged, table = _settle(cells, contrasts, failed, out, direction, declared, trainings)
    blocks = len(table.blocks)
    early = declared is not None and blocks < declared
    reached: Tier = tier(blocks)
    if early and reached in ("evidence", "strong"):
        reached = "screening"

    results = {name: _excluded(contrast, *out[name]) for contrast in contrasts if (name := contrast.name) in out}
    fit = None
    if judged and blocks:
        terms = Terms(reached, level, delta, train_test_ratio, cost_per_block)
        found, fit = decide(judged, table, table.scores if direction == "max" else -table.scores, terms)
        results |= found
    else:
        results |= {c.name: TrickJudgement(c.name, c.kind, "smoke", "smoke: no complete block yet") for c in judged}

    first = [table.trainings.index(name) for name in dict.fromkeys(table.trainings)]
    rho = pairing_correlation(table.scores[:, first])
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


def check_declared(direction: str, delta: float | None) -> None:
    """Refuse a direction other than max and min, and a δ that is no positive number."""
    if direction not in ("max", "min"):
        raise UserError(f"unknown direction {direction!r}", fix="max or min")
    if delta is not None and not (np.isfinite(delta) and delta > 0):
        raise UserError(f"delta must be a positive number in the metric's unit, not {delta!r}", where="metric.delta")


def _check(
    cells: Mapping[str, Sequence[float | None]],
    contrasts: Sequence[Contrast],
    direction: str,
    delta: float | None,
    looks: Sequence[int],
    look: int,
    final: bool,
) -> None:
    check_declared(direction, delta)
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
    trainings: Mapping[str, str] | None,
) -> tuple[list[Contrast], Table]:
    """The contrasts that can be judged, and their complete blocks; one with a cell that always failed goes to `out`."""
    while True:
        judged = [contrast for contrast in contrasts if contrast.name not in out]
        used = {cell for contrast in judged for cell in contrast.cells}
        table = complete_blocks(
            cells, failed, used, highest_is_worst=direction == "min", most=most, trainings=trainings
        )
        lost = [(contrast, cell) for contrast in judged for cell in contrast.cells if cell in table.dead]
        if not lost:
            return judged, table
        for contrast, cell in lost:
            out[contrast.name] = "refused", f"cell {cell} {table.dead[cell]}"


def _excluded(contrast: Contrast, word: str, reason: str) -> TrickJudgement:
    return TrickJudgement(contrast.name, contrast.kind, word, f"{word}: {reason}", live=word != "not_live")


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
