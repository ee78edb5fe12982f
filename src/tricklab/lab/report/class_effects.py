"""What each trick did to each class: paired differences per class, from the confusion matrices that runs recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tricklab.lab.report.source import Source
from tricklab.statistics.student import interval

LEVEL = 0.95
_FEWEST_BLOCKS = 3
Floats = NDArray[np.float64]
# the key of a class's score in its row, and what it is called
SCORES = {"segmentation": ("iou", "IoU"), "classification": ("recall", "recall"), "hyperspectral": ("recall", "recall")}


@dataclass(frozen=True)
class TrickClasses:
    """One trick's classes; nan where nothing is defined.

    Args:
        name: the trick.
        without, with_: float64 (K,), means over the blocks that count.
        effect: float64 (K,), mean paired difference, with minus without.
        low, high: float64 (K,), its 95 % t interval, not corrected; nan below three blocks.
        blocks: int64 (K,), blocks in which both sides finished and have a score of the class.
    """

    name: str
    without: Floats
    with_: Floats
    effect: Floats
    low: Floats
    high: Floats
    blocks: NDArray[np.int64]


@dataclass(frozen=True)
class ClassEffects:
    """Scores per class of an experiment. Exploratory: nothing is corrected for their number, and no verdict is drawn.

    Args:
        score: ``iou`` or ``recall``; ``title``: what it is called.
        split: which side was scored.
        classes: K names.
        share: float64 (K,), share of each class among the true pixels or items, mean over blocks.
        baseline: float64 (K,), mean over the baseline's finished blocks; nan where there is no baseline.
        tricks: in the report's order; those without a finished pair are left out.
    """

    score: str
    title: str
    split: str
    classes: tuple[str, ...]
    share: Floats
    baseline: Floats
    tricks: tuple[TrickClasses, ...]

    def moved(self) -> list[int]:
        """Numbers of the classes, the one that any trick moved most first."""
        return _most_first(np.stack([trick.effect for trick in self.tricks]))

    def to_dict(self) -> dict[str, Any]:
        """Plain data; None where nothing is defined."""
        return {
            "score": self.score,
            "split": self.split,
            "exploratory": "not corrected for the number of classes and tricks; no verdict",
            "level": LEVEL,
            "classes": [
                {
                    "class": name,
                    "share": _defined(self.share[number]),
                    "baseline": _defined(self.baseline[number]),
                    "tricks": {trick.name: _numbers(trick, number) for trick in self.tricks},
                }
                for number, name in enumerate(self.classes)
            ],
        }


def most_moved(trick: TrickClasses) -> list[int]:
    """Numbers of the classes, the one that the trick moved most first."""
    return _most_first(trick.effect[None])


def class_effects(source: Source) -> ClassEffects | None:
    """Scores per class, or None where the runs recorded no classes or no pair of runs has finished."""
    task = task_of(source)
    finished = [run for run in source.runs if run.state == "finished" and run.result.get("confusion")]
    if task not in SCORES or not finished:
        return None
    names = [str(name) for name in finished[0].result.get("classes") or ()]
    key, title = SCORES[task]
    scores: dict[tuple[str, int], Floats] = {}
    shares: dict[int, Floats] = {}
    for run in finished:
        if [str(name) for name in run.result.get("classes") or ()] != names:
            continue
        rows = class_rows(run.result, task)
        scores[run.cell, run.block] = np.array([np.nan if row[key] is None else row[key] for row in rows])
        support = np.array([row["support"] for row in rows], dtype=np.float64)
        shares.setdefault(run.block, support / max(support.sum(), 1))
    tricks = [found for trick in source.tricks if (found := _of_trick(source, str(trick["name"]), scores)) is not None]
    if not names or not tricks:
        return None
    base = source.baseline
    own = [scores[base.name, block] for block in source.blocks if base is not None and (base.name, block) in scores]
    return ClassEffects(
        score=key,
        title=title,
        split=source.metric.partition("/")[0],
        classes=tuple(names),
        share=np.mean(list(shares.values()), axis=0),
        baseline=_means(np.stack(own)) if own else np.full(len(names), np.nan),
        tricks=tuple(tricks),
    )


def class_rows(result: Mapping[str, Any], task: str) -> list[dict[str, Any]]:
    """The scores of each class of one finished run, from its confusion matrix; none where it recorded none.

    Args:
        result: of the run.
        task: of its recipe; masks are scored as ``mask_report`` does, anything else as ``per_class_report`` does.
    """
    if task not in SCORES or not result.get("confusion") or not result.get("classes"):
        return []
    from tricklab.metrics import per_class_report
    from tricklab.metrics.segmentation.regions import mask_report

    report = mask_report if task == "segmentation" else per_class_report
    return report(np.asarray(result["confusion"], dtype=np.int64), [str(name) for name in result["classes"]])


def task_of(source: Source) -> str:
    """The task of the experiment's recipe; empty where a function or a command was tried."""
    recipe = next((cell.get("recipe") for cell in source.plan.get("cells") or () if cell.get("recipe")), None)
    return str((recipe or {}).get("task") or "")


def _of_trick(source: Source, trick: str, scores: Mapping[tuple[str, int], Floats]) -> TrickClasses | None:
    """Blocks are paired as the verdict pairs them: several companies of a trick are averaged within a block."""
    without, with_ = [], []
    for block in source.blocks:
        pairs = [(one.name, other.name) for one, other in source.pairs_of(trick)]
        if pairs and all((name, block) in scores for pair in pairs for name in pair):
            without.append(np.mean([scores[one, block] for one, _ in pairs], axis=0))
            with_.append(np.mean([scores[other, block] for _, other in pairs], axis=0))
    if not without:
        return None
    before, after = np.stack(without), np.stack(with_)
    known = ~np.isnan(after - before)
    before, after = np.where(known, before, np.nan), np.where(known, after, np.nan)
    blocks, effect = known.sum(axis=0), _means(after - before)
    spread = np.where(known, (after - before - effect) ** 2, 0.0).sum(axis=0)
    enough = blocks >= _FEWEST_BLOCKS
    freedom = np.where(enough, blocks - 1, 1)
    low, high = interval(effect, np.sqrt(spread / freedom / np.maximum(blocks, 1)), freedom, 1 - LEVEL)
    return TrickClasses(
        name=trick,
        without=_means(before),
        with_=_means(after),
        effect=effect,
        low=np.where(enough, low, np.nan),
        high=np.where(enough, high, np.nan),
        blocks=blocks,
    )


def _means(values_BK: Floats) -> Floats:
    """(K,) means over what is defined; nan where nothing is."""
    known = ~np.isnan(values_BK)
    total = np.where(known, values_BK, 0.0).sum(axis=0)
    return np.divide(total, known.sum(axis=0), out=np.full(len(total), np.nan), where=known.any(axis=0))


def _most_first(effects_TK: Floats) -> list[int]:
    size = np.where(np.isnan(effects_TK), -1.0, np.abs(effects_TK)).max(axis=0)
    return [int(number) for number in np.argsort(-size, kind="stable")]


def _numbers(trick: TrickClasses, number: int) -> dict[str, Any]:
    ends = [_defined(trick.low[number]), _defined(trick.high[number])]
    return {
        "without": _defined(trick.without[number]),
        "with": _defined(trick.with_[number]),
        "effect": _defined(trick.effect[number]),
        "interval": None if None in ends else ends,
        "blocks": int(trick.blocks[number]),
    }


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
