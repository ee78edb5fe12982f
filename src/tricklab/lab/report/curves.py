"""Drawings of learning curves: a mean per arm, thin lines per run, a band for differences, a legend below."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np

from tricklab.lab.report.axes import Box, Scale, bottom_axis, left_axis, padded
from tricklab.lab.report.effects import shortened
from tricklab.lab.report.series import Curve
from tricklab.lab.report.svg import Node, area, drawing, path

WIDTH = 760
COLOURS = 8
PARTS = {"all": 0.0, "late": 0.5}


def colour(slot: int) -> str:
    """The CSS class of the colour of arm ``slot``; slot 0 (the baseline) is ink."""
    return "c0" if slot == 0 else f"c{1 + (slot - 1) % (COLOURS - 1)}"


def _limits(curves: list[Curve], extra: list[float], beginning: float) -> tuple[float, float]:
    """The range of everything that lies at or right of ``beginning``."""
    values = list(extra)
    for curve in curves:
        for xs, ys in ((curve.x, curve.y), *curve.runs):
            values += ys[xs >= beginning].tolist()
    return padded(values, 0.05)


def _xlimits(curves: list[Curve], part: str) -> tuple[float, float]:
    lines = [x for curve in curves for x in (curve.x, *(run[0] for run in curve.runs))]
    highest = max((float(x[-1]) for x in lines if len(x)), default=1.0) or 1.0
    return PARTS[part] * highest, highest


def _legend(curves: list[Curve], top: float, left: float, right: float) -> tuple[list[Node], float]:
    entries: list[Node] = []
    x, y = left, top
    for curve in curves:
        text = shortened(curve.name, 34)
        width = 48 + 6.9 * len(text)
        if x + width > right and x > left:
            x, y = left, y + 24
        entry = Node("g", class_=f"key {colour(curve.slot)}", data_series=curve.name, tabindex=0, role="button")
        entry.attributes["aria-pressed"] = "true"
        entry.add(
            Node("title", f"{curve.name}: click to hide or show"),
            Node("rect", x=x, y=y - 13, width=width - 8, height=20, rx=4, class_="hit"),
            Node("line", x1=x + 4, x2=x + 24, y1=y - 3, y2=y - 3, class_="sample"),
            Node("text", text, x=x + 30, y=y + 1, class_="value"),
        )
        entries.append(entry)
        x += width
    return entries, y + 12


def curve_drawing(
    curves: list[Curve],
    *,
    title: str,
    x_label: str,
    y_label: str,
    axis: str,
    part: str = "all",
    height: float = 340,
    zero: bool = False,
    reference: tuple[str, float] | None = None,
    hidden: bool = False,
) -> Node:
    """All ``curves`` against one x axis; ``reference`` is a named horizontal line, ``zero`` draws one at zero.

    ``part`` is ``all`` or ``late``, the second half enlarged.
    """
    box = Box(64, 30, WIDTH - 16, height - 48)
    extra = [0.0] if zero else []
    if reference and part == "all":
        extra.append(reference[1])
    xlimits = _xlimits(curves, part)
    ylimits = _limits(curves, extra, xlimits[0])
    x_scale = Scale(*xlimits, box.left, box.right)
    y_scale = Scale(*ylimits, box.bottom, box.top)
    body = [bottom_axis(box, x_scale, x_label), left_axis(box, y_scale, y_label)]
    if zero:
        y = y_scale(0.0)
        body.append(Node("line", x1=box.left, x2=box.right, y1=y, y2=y, class_="zero"))
    if reference and ylimits[0] <= reference[1] <= ylimits[1]:
        y = y_scale(reference[1])
        body.append(Node("line", x1=box.left, x2=box.right, y1=y, y2=y, class_="reference"))
        body.append(Node("text", reference[0], x=box.right - 4, y=y - 5, text_anchor="end", class_="tick"))
    clip = Node(
        "clipPath", Node("rect", x=box.left, y=box.top, width=box.right - box.left, height=box.bottom - box.top)
    )
    clip.attributes["id"] = f"clip-{crc32(f'{title}/{axis}/{part}'.encode()):08x}"
    body.append(Node("defs", clip))
    for curve in curves:
        body.append(_one(curve, x_scale, y_scale, str(clip.attributes["id"])))
    keys, bottom = _legend(curves, height + 12, box.left, box.right)
    body += keys
    body.append(Node("line", y1=box.top, y2=box.bottom, x1=0, x2=0, class_="cursor", visibility="hidden"))
    ends = "; ".join(f"{curve.name} ends at {curve.y[-1]:.4g}" for curve in curves if len(curve.y))
    node = drawing(WIDTH, bottom, title, f"{y_label} against {x_label}. {ends}", *body, class_="figure curves")
    node.attributes |= {"data_axis": axis, "data_part": part}
    node.attributes["hidden"] = "hidden" if hidden else None
    return node


def _one(curve: Curve, x_scale: Scale, y_scale: Scale, clip: str) -> Node:
    def pixels(xs: np.ndarray, ys: np.ndarray) -> list[tuple[float, float]]:
        return [(x_scale(float(x)), y_scale(float(y))) for x, y in zip(xs, ys, strict=True)]

    group = Node("g", class_=f"series {colour(curve.slot)}", data_series=curve.name, clip_path=f"url(#{clip})")
    if curve.low is not None and curve.high is not None:
        group.add(area(pixels(curve.x, curve.high), pixels(curve.x, curve.low), class_="band"))
    for xs, ys in curve.runs:
        group.add(path(pixels(xs, ys), class_="run"))
    if len(curve.x):
        dashed = "7 4" if curve.slot >= COLOURS else None
        group.add(path(pixels(curve.x, curve.y), class_="mean", stroke_dasharray=dashed))
    return group


def hover_data(curves: list[Curve]) -> dict[str, Any]:
    """What the page's script needs to read values off a drawing: the plot's box, its x range, the mean lines."""

    def rounded(values: np.ndarray | None) -> list[float] | None:
        return None if values is None else [float(f"{value:.6g}") for value in values]

    return {
        "box": [64, WIDTH - 16],
        "range": {part: list(_xlimits(curves, part)) for part in PARTS},
        "series": [
            {
                "name": curve.name,
                "colour": colour(curve.slot),
                "x": rounded(curve.x),
                "y": rounded(curve.y),
                "low": rounded(curve.low),
                "high": rounded(curve.high),
            }
            for curve in curves
        ],
    }
