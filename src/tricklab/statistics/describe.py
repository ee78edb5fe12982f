"""What can be said of one trick without an error model and without the other tricks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tricklab.statistics.blocked import contrast_values
from tricklab.statistics.contrasts import Contrast
from tricklab.statistics.failures import failure_counts, without_failures
from tricklab.statistics.judgement import Failures, PairEffect, TrickJudgement, WithoutFailures
from tricklab.statistics.signflip import sign_flip_p
from tricklab.statistics.steadiness import paired_steadiness
from tricklab.statistics.table import Table
from tricklab.statistics.wins import clopper_pearson


def describe(contrast: Contrast, table: Table, scores: NDArray[np.float64], level: float) -> TrickJudgement:
    """Wins, sign flips, steadiness, pairs and failures of one contrast. scores: (n, C), oriented: more is better."""
    weights = np.array([[contrast.weights.get(cell, 0.0) for cell in table.cells]])
    values = contrast_values(scores, weights)[:, 0]
    wins = int((values > 0).sum())
    steadiness = None
    if contrast.pairs and len(values) >= 2:
        ons, offs = (
            scores[:, [table.column(pair[side]) for pair in _disjoint(contrast.pairs, table)]].T for side in (0, 1)
        )
        steadiness = paired_steadiness(ons, offs)
    failures, second, flags = _failures(contrast, table, values, level)
    return TrickJudgement(
        contrast.name,
        contrast.kind,
        "smoke",
        "",
        effect=float(values.mean()),
        pairs=_pair_effects(contrast, table, scores),
        differences=tuple(float(value) for value in values),
        wins=wins / len(values),
        wins_count=wins,
        wins_interval=clopper_pearson(wins, len(values)),
        steadiness=steadiness,
        sign_flip_p=sign_flip_p(values),
        failures=failures,
        without_failures=second,
        flags=(*_heaviest_block(values, table.blocks), *flags),
    )


def _disjoint(pairs: tuple[tuple[str, str], ...], table: Table) -> list[tuple[str, str]]:
    """Pairs without a training in common: one that stood in two would be counted twice."""
    kept: list[tuple[str, str]] = []
    taken: set[str] = set()
    for pair in pairs:
        trainings = {table.training(cell) for cell in pair}
        if not taken & trainings:
            kept.append(pair)
            taken |= trainings
    return kept


def _pair_effects(contrast: Contrast, table: Table, scores: NDArray[np.float64]) -> tuple[PairEffect, ...]:
    effects = []
    for on, off in contrast.pairs:
        pair = scores[:, [table.column(off), table.column(on)]]
        effects.append(PairEffect(on, off, float(contrast_values(pair, [[-1.0, 1.0]]).mean())))
    return tuple(effects)


def _heaviest_block(values: NDArray[np.float64], blocks: tuple[int, ...]) -> tuple[str, ...]:
    """A flag when one block carries more than half of the effect (in two blocks one always does)."""
    total = float(values.sum())
    if len(values) < 3 or total == 0:
        return ()
    shares = values / total
    heaviest = int(shares.argmax())
    if shares[heaviest] > 1:
        return (f"without block {blocks[heaviest]} the effect would have the other sign",)
    if shares[heaviest] > 0.5:
        return (f"block {blocks[heaviest]} carries {100 * shares[heaviest]:.0f} % of the effect",)
    return ()


def _failures(
    contrast: Contrast, table: Table, values: NDArray[np.float64], level: float
) -> tuple[Failures | None, WithoutFailures | None, tuple[str, ...]]:
    lost_with, lost_without = (_lost(contrast, table, sign) for sign in (1, -1))
    touched = np.asarray(np.concatenate([lost_with, lost_without], axis=1).any(axis=1))
    if not touched.any():
        return None, None, ()
    counts = failure_counts(int(lost_with.sum()), lost_with.size, int(lost_without.sum()), lost_without.size)
    flag = (
        f"failed runs stand as the worst observed value: {counts.failed_with} of {counts.runs_with} with the trick, "
        f"{counts.failed_without} of {counts.runs_without} without (exact p {counts.p:.2g})"
    )
    return counts, without_failures(values, touched, level), (flag,)


def _lost(contrast: Contrast, table: Table, sign: int) -> NDArray[np.bool_]:
    """Failed trainings (n, trainings) behind the cells on one side; cells of one training fail once."""
    cells = [cell for cell, weight in contrast.weights.items() if sign * weight > 0]
    groups = [[cell for cell in cells if table.training(cell) == name] for name in map(table.training, cells)]
    distinct = list(dict.fromkeys(map(tuple, groups)))
    return np.stack([table.failed[:, [table.column(cell) for cell in group]].any(axis=1) for group in distinct], axis=1)
