"""The drawings of an experiment: which numbers go into which picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tricklab.lab.report.curves import PARTS, curve_drawing, hover_data
from tricklab.lab.report.effects import Arrow, Effect, Pair, arrows, forest, slopes
from tricklab.lab.report.numbers import plain
from tricklab.lab.report.series import AXES, Curve, Points, average, difference, points
from tricklab.lab.report.source import Cell, Run, Source, ends
from tricklab.lab.report.svg import Node
from tricklab.lab.report.words import digits_of

TABLE_ROWS = 12


@dataclass(frozen=True)
class CurveFigure:
    """One quantity against every x axis that the rows allow: the drawings, the data to hover over, a table."""

    key: str
    title: str
    caption: str
    drawings: list[Node]
    hover: dict[str, Any]
    table_axis: str
    table_names: list[str]
    table: list[list[str]]


def level_of(source: Source) -> float:
    """Confidence level of the printed intervals: one minus the level of the look."""
    spent = source.outcome.get("level")
    return 1.0 - float(spent) if spent is not None else 0.95


def effect_label(source: Source) -> str:
    """What an effect is called on an axis; effects are oriented, positive is better."""
    return f"{'improvement' if source.minimise else 'difference'} in {source.metric}"


def forest_of(source: Source) -> Node | None:
    """The forest plot of all tricks, or None where no effect is known."""
    rows = [
        Effect(str(trick["name"]), trick.get("effect"), *ends(trick), verdict=str(trick.get("verdict", "undecided")))
        for trick in source.tricks
    ]
    known = [row for row in rows if row.effect is not None]
    return forest(known, effect_label(source), source.delta, digits_of(source), level_of(source)) if known else None


def value_of(source: Source, run: Run) -> float | None:
    """What a run counts as: its value; the worst observed one where it failed; None where it says nothing."""
    return source.worst if run.state == "failed" else run.value


def pairs_of(source: Source, trick: str) -> list[Pair]:
    """Per block the value without and with a trick, averaged over the pairs of cells that differ in it alone."""
    pairs = source.pairs_of(trick)
    found = []
    for block in source.blocks:
        both = [(a.runs.get(block), b.runs.get(block)) for a, b in pairs]
        runs = [(a, b) for a, b in both if a is not None and b is not None]
        values = [(value_of(source, a), value_of(source, b)) for a, b in runs]
        known = [(a, b) for a, b in values if a is not None and b is not None]
        if known and len(known) == len(pairs):
            failed = any("failed" in (a.state, b.state) for a, b in runs)
            without, with_ = (sum(side) / len(known) for side in zip(*known, strict=True))
            found.append(Pair(block, without, with_, failed))
    return found


def slopes_of(source: Source) -> list[Node]:
    """One slope plot per trick."""
    panels = [(str(trick["name"]), pairs_of(source, str(trick["name"]))) for trick in source.tricks]
    return slopes([panel for panel in panels if panel[1]], source.metric, source.minimise)


def arrows_of(source: Source) -> Node | None:
    """Arrows from the effect alone to the effect in company; None unless the design has both."""
    size = {cell.name: len(cell.arms) for cell in source.cells}
    rows = []
    for trick in source.tricks:
        pairs = [pair for pair in trick.get("pairs") or () if pair["on"] in size]
        if trick.get("interaction") is None or len(pairs) < 2:
            continue
        pairs.sort(key=lambda pair: size[pair["on"]])
        rows.append(Arrow(str(trick["name"]), pairs[0]["effect"], pairs[-1]["effect"], trick.get("interaction_p")))
    return arrows(rows, effect_label(source), source.delta, digits_of(source)) if rows else None


def curve_figures(source: Source) -> list[CurveFigure]:
    """The monitored metric, its differences per trick, and the training loss; those of which there are curves."""
    phase = source.metric.partition("/")[0]
    name = source.metric
    sides = "without the trick minus with" if source.minimise else "with the trick minus without"
    label = effect_label(source)
    figures = [
        _figure(
            "metric",
            name,
            _arm_captions(source),
            lambda axis: _arm_curves(source, name, phase, axis),
            name,
            reference=_trivial(source),
        ),
        _figure(
            "difference",
            f"{label.capitalize()}: {sides}",
            _DIFFERENCE + _LEFT_OUT * any(run.state == "failed" for run in source.runs),
            lambda axis: _differences(source, name, phase, axis),
            label,
            zero=True,
        ),
        _figure(
            "loss",
            "Training loss",
            _loss_caption(source),
            lambda axis: _arm_curves(source, "loss_mean", "train", axis),
            "loss, mean of the epoch",
        ),
    ]
    return [figure for figure in figures if figure is not None]


_LEFT_OUT = " Blocks in which a run of the pair failed are left out here; the verdicts count them."
_DIFFERENCE = (
    "Within each block, then averaged over blocks; where runs were logged at other places they are interpolated. "
    "The band is a pointwise t interval over blocks: it shows where along training the arms part, and is no verdict."
)


def _arm_captions(source: Source) -> str:
    text = "Thick: mean over blocks; thin: single runs. The mean ends where the first run ends."
    if any(run.state == "failed" for run in source.runs):
        text += " Failed runs are drawn and not averaged."
    if any(cell.fit_from for cell in source.cells):
        text += " Arms that act at evaluation only share another arm's training and have no curve of their own."
    return text


def _loss_caption(source: Source) -> str:
    terms = {tuple(run.result.get("loss_terms") or ()) for run in source.runs if run.state == "finished"}
    text = "Sample-weighted running mean of each epoch, in training mode (dropout and augmentation on)."
    if len(terms) > 1:
        text += " The arms have different loss terms: their totals cannot be compared with each other."
    return text


def _trivial(source: Source) -> tuple[str, float] | None:
    run = source.a_finished_run()
    found = ((run.result if run else {}).get("trivial") or {}).get(source.metric)
    return ("trivial predictor", float(found)) if isinstance(found, int | float) else None


def _figure(
    key: str,
    title: str,
    caption: str,
    curves_on: Callable[[str], list[Curve]],
    y_label: str,
    *,
    zero: bool = False,
    reference: tuple[str, float] | None = None,
) -> CurveFigure | None:
    drawn: list[Node] = []
    hover: dict[str, Any] = {}
    first: list[Curve] = []
    for axis, (_, x_label) in AXES.items():
        curves = curves_on(axis)
        if not curves:
            return None
        first = first or curves
        hover[axis] = hover_data(curves)
        for part in PARTS:
            look: dict[str, Any] = {"axis": axis, "part": part, "zero": zero, "reference": reference}
            look |= {"title": title, "x_label": x_label, "y_label": y_label, "hidden": bool(drawn)}
            drawn.append(curve_drawing(curves, **look))
    names, rows = _table(first)
    return CurveFigure(key, title, caption, drawn, hover, AXES["samples"][1], names, rows)


def _table(curves: list[Curve]) -> tuple[list[str], list[list[str]]]:
    """The mean lines at about twelve places, for readers who do not see the drawing."""
    import numpy as np

    drawn = [curve for curve in curves if len(curve.x)]
    if not drawn:
        return [], []
    longest = max((curve.x for curve in drawn), key=len)
    places = longest[np.unique(np.linspace(0, len(longest) - 1, TABLE_ROWS).round().astype(int))]
    rows = [[f"{x:,.0f}", *(plain(float(np.interp(x, curve.x, curve.y)), 4) for curve in drawn)] for x in places]
    return [curve.name for curve in drawn], rows


def _lines(runs: Iterable[Run], key: str, phase: str, axis: str) -> list[Points]:
    return [points(run.evidence.rows, key, phase, axis) for run in runs]


def _arm_curves(source: Source, key: str, phase: str, axis: str) -> list[Curve]:
    curves = []
    for slot, cell in enumerate(source.cells):
        if cell.fit_from is not None and phase == "train":
            continue
        broken = [run for run in cell.runs.values() if run.state == "failed"]
        whole = _lines(cell.finished(), key, phase, axis)
        curve = average(source.label(cell), slot, whole, _lines(broken, key, phase, axis))
        if curve is not None:
            curves.append(curve)
    return curves


def _differences(source: Source, key: str, phase: str, axis: str) -> list[Curve]:
    curves = []
    for slot, trick in enumerate(source.tricks, start=1):
        pairs = source.pairs_of(str(trick["name"]))
        blocks = [
            found for block in source.blocks if (found := _block_pairs(pairs, block, key, phase, axis, source.minimise))
        ]
        curve = difference(str(trick["name"]), slot, blocks, level_of(source)) if blocks else None
        if curve is not None:
            curves.append(curve)
    return curves


def _block_pairs(
    pairs: list[tuple[Cell, Cell]], block: int, key: str, phase: str, axis: str, minimise: bool
) -> list[tuple[Points, Points]]:
    """(better, worse side) lines of one block: (with, without), turned where smaller is better; all pairs or none."""
    found = []
    for without, with_ in pairs:
        runs = with_.runs.get(block), without.runs.get(block)
        if any(run is None or run.state != "finished" for run in runs):
            return []
        lines = _lines([run for run in runs if run is not None], key, phase, axis)
        if any(len(line[0]) < 2 for line in lines):
            return []
        found.append((lines[1], lines[0]) if minimise else (lines[0], lines[1]))
    return found
