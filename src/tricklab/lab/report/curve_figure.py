"""The curves of one run: losses, the evaluation metric beside the trivial predictor, the learning rate below."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tricklab.lab.report.canvas import BLUE, GREEN, ORANGE, SOFT, figure, plain_axes, save
from tricklab.lab.report.series import points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tricklab.records import Evidence


def curve_figure(evidence: Evidence, path: Path) -> Path:
    """Draw the curves of a run's rows against epochs and return the PNG.

    Where some terms of the loss exist in training only, such as auxiliary ones, the curve of training is without them:
    it stands beside an evaluation that has none.
    """
    compared = _with_scored_terms(evidence)
    monitor = str((evidence.recipe.get("metric") or {}).get("monitor", "val/oa"))
    phase = monitor.partition("/")[0]
    made = figure(7.6, 6.6)
    grid = made.add_gridspec(3, 1, height_ratios=[3, 3, 1.5])
    losses = made.add_subplot(grid[0])
    metric = made.add_subplot(grid[1], sharex=losses)
    rate = made.add_subplot(grid[2], sharex=losses)
    left = (evidence.fact("evaluate/loss_terms") or {}).get("left_out") or []
    plain_axes(losses, f"loss without {', '.join(left)}" if left else "loss")
    plain_axes(metric, monitor)
    plain_axes(rate, "learning rate")
    drawn = _line(losses, compared, "loss", "train", BLUE, "training, per row", faint=True)
    drawn += _line(losses, compared, "loss_mean", "train", BLUE, "training, mean of the epoch")
    drawn += _line(losses, evidence, f"{phase}/loss", phase, ORANGE, "evaluation")
    _line(metric, evidence, monitor, phase, GREEN, "this run")
    averaged = f"{phase}/averaged_{monitor.partition('/')[2]}"
    _line(metric, evidence, averaged, phase, ORANGE, "averaged weights")
    trivial = _last(evidence, f"{phase}/trivial_{monitor.partition('/')[2]}", phase)
    if trivial is not None:
        metric.axhline(trivial, color=SOFT, linestyle=":", linewidth=1.4, label=f"trivial predictor ({trivial:.3f})")
    _line(rate, evidence, "lr", "train", SOFT, "learning rate", step=True)
    if drawn and min(drawn) > 0 and max(drawn) / min(drawn) > 30:
        losses.set_yscale("log")
    for axes in (losses, metric):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8.5)
        axes.tick_params(labelbottom=False)
    rate.set_xlabel("epochs", fontsize=9, color=SOFT)
    rate.set_ylim(bottom=0)
    return save(made, path)


def _with_scored_terms(evidence: Evidence) -> Evidence:
    """The evidence whose training rows have as their loss the sum of the terms that are evaluated too."""
    terms = evidence.fact("evaluate/loss_terms") or {}
    if not terms.get("left_out") or not terms.get("scored"):
        return evidence
    keys = [f"loss/{name}" for name in terms["scored"]]

    def sums(row: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for total, ending in (("loss", ""), ("loss_mean", "_mean")):
            parts = [row.get(f"{key}{ending}") for key in keys]
            if None not in parts:
                found[total] = sum(parts)  # type: ignore[arg-type]
        return {**row, **found}

    return replace(evidence, rows=[sums(row) for row in evidence.rows])


def _line(
    axes: Axes,
    evidence: Evidence,
    key: str,
    phase: str,
    colour: str,
    label: str,
    *,
    faint: bool = False,
    step: bool = False,
) -> list[float]:
    """Draw one column and return its values."""
    x, y = points(evidence.rows, key, phase, "epochs")
    if not len(x):
        return []
    axes.plot(
        x,
        y,
        color=colour,
        label=label,
        alpha=0.3 if faint else 1.0,
        linewidth=1.0 if faint else 1.8,
        marker="o" if len(x) < 3 else "",
        markersize=4,
        drawstyle="steps-post" if step else "default",
    )
    return [float(value) for value in y]


def _last(evidence: Evidence, key: str, phase: str) -> float | None:
    _, y = points(evidence.rows, key, phase, "epochs")
    return float(y[-1]) if len(y) else None
