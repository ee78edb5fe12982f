"""What a judgement says, as plain frozen data; `to_dict` is the machine-readable result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from tricklab.statistics.steadiness import Steadiness
from tricklab.statistics.tiers import Tier

Interval = tuple[float, float]


@dataclass(frozen=True)
class PairEffect:
    """The plain mean difference between two cells that differ in one trick alone."""

    on: str
    off: str
    effect: float


@dataclass(frozen=True)
class WithoutFailures:
    """The second, labelled analysis: only blocks in which no run of this trick's cells failed, own paired t."""

    label: str
    blocks: int
    effect: float | None
    interval: Interval | None
    p: float | None


@dataclass(frozen=True)
class Failures:
    """Failed runs with and without the trick, and Barnard's exact test of the two shares."""

    failed_with: int
    runs_with: int
    failed_without: int
    runs_without: int
    p: float


@dataclass(frozen=True)
class TrickJudgement:
    """One trick. Numbers are None where the data cannot give them (refused, too few blocks, no δ).

    effect, interval and everything in the metric's unit are oriented: positive is better, also where the metric is to
    be minimised. interval: at 1 − the level of the look. interval_90: the one that `equivalent` is read from. p: of
    `method` ("pooled": blocked model; "paired": own paired t; "welch"). p_holm: adjusted over the tricks. q:
    Benjamini-Hochberg, from twelve tricks on. survives: only in a screening, worth confirming on fresh blocks. sd: of
    one block's contrast, df: of its estimate. differences: the contrast in each block. pairs: (on, off) cells that
    differ in this trick alone. wins: share of blocks. blocks_needed: more blocks (in unpaired lists: more runs on each
    side) that would show δ with 80 % power at the first Holm step; 0 where the experiment already had it, None with a
    settled verdict, without δ, and where 100,000 would not do. cost_needed: the same in device-hours.
    smallest_detectable: with the present blocks. futile: the interval ends below δ. other_data_interval: Nadeau-Bengio.
    text: one sentence for people.
    """

    name: str
    kind: str
    verdict: str
    text: str
    worth_it: bool | None = None
    effect: float | None = None
    interval: Interval | None = None
    interval_90: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    q: float | None = None
    survives: bool | None = None
    method: str | None = None
    sd: float | None = None
    df: float | None = None
    interaction: float | None = None
    interaction_interval: Interval | None = None
    interaction_p: float | None = None
    pairs: tuple[PairEffect, ...] = ()
    differences: tuple[float, ...] = ()
    wins: float | None = None
    wins_count: int | None = None
    wins_interval: Interval | None = None
    steadiness: Steadiness | None = None
    blocks_needed: int | None = None
    cost_needed: float | None = None
    smallest_detectable: float | None = None
    futile: bool | None = None
    sign_flip_p: float | None = None
    failures: Failures | None = None
    without_failures: WithoutFailures | None = None
    other_data_interval: Interval | None = None
    live: bool = True
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArmSummary:
    """One cell: mean and sd of its scores in the metric's own direction, failed runs as the worst observed value.

    cost is left to the caller, who knows it per run. pool: its variance is part of the pooled one.
    """

    name: str
    cell: str
    n: int
    failed: int
    mean: float | None
    sd: float | None
    cost: float | None = None
    pool: bool = False


@dataclass(frozen=True)
class Judgement:
    """Everything that was decided about one experiment.

    blocks: complete blocks that were used, block_indices: which ones; blocks_declared: those of this look. early: fewer
    than declared, so that no claim is made. level: of this look. tricks_judged: the size of Holm's family.
    """

    direction: str
    delta: float | None
    blocks: int
    block_indices: tuple[int, ...]
    blocks_declared: int | None
    early: bool
    tier: Tier
    looks: tuple[int, ...]
    look: int
    final: bool
    level: float
    rho: float | None
    tricks_judged: int
    tricks: tuple[TrickJudgement, ...]
    arms: tuple[ArmSummary, ...]
    notes: tuple[str, ...] = ()

    def trick(self, name: str) -> TrickJudgement:
        """The judgement of one trick by name (KeyError if there is none)."""
        for trick in self.tricks:
            if trick.name == name:
                return trick
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings, floats, ints, bools and None; every float finite."""
        plain: dict[str, Any] = _plain(self)
        return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
