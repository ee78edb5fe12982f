"""Drawings of effects: the forest of intervals, paired slopes per block, arrows of interaction."""

from __future__ import annotations

from dataclasses import dataclass

from tricklab.lab.report.axes import Box, Scale, bottom_axis, left_axis, padded
from tricklab.lab.report.numbers import decimals_for, interval, plain, probability, several, signed
from tricklab.lab.report.svg import Node, drawing

WIDTH = 780


@dataclass(frozen=True)
class Effect:
    """One row of the forest: a mean paired difference with its interval (``None`` where there is none) and verdict."""

    name: str
    effect: float | None
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True)
class Pair:
    """One block of one trick: the value without and with it; ``failed`` marks a run that counts as the worst value."""

    block: int
    without: float
    with_: float
    failed: bool = False


@dataclass(frozen=True)
class Arrow:
    """One trick's effect alone (added to the baseline) and in company (taken out of all)."""

    name: str
    alone: float
    company: float
    p: float | None = None


def shortened(text: str, length: int = 23) -> str:
    """The beginning and the end of a text that is too long for the margin: arms often differ in their last argument."""
    if len(text) <= length:
        return text
    tail = (length - 1) * 2 // 5
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def _row_label(text: str, x: float, y: float) -> Node:
    return Node("text", Node("title", text), shortened(text), x=x, y=y, text_anchor="end", class_="name")


def _delta_band(box: Box, scale: Scale, delta: float | None) -> list[Node]:
    zero = Node("line", x1=scale(0.0), x2=scale(0.0), y1=box.top, y2=box.bottom, class_="zero")
    if not delta:
        return [zero]
    left, right = scale(-delta), scale(delta)
    band = Node(
        "rect",
        Node("title", f"±δ = {delta:g}: differences too small to matter"),
        x=left,
        y=box.top,
        width=right - left,
        height=box.bottom - box.top,
        class_="delta",
    )
    mark = Node("text", "±δ", x=(left + right) / 2, y=box.top - 6, text_anchor="middle", class_="tick")
    return [band, mark, zero]


def forest(rows: list[Effect], label: str, delta: float | None, digits: int, level: float = 0.95) -> Node:
    """Effects with their intervals on one axis, the band ±δ behind them, the numbers beside them."""
    drawn = [row for row in rows if row.effect is not None]
    values = [value for row in drawn for value in (row.effect, row.low, row.high) if value is not None]
    low, high = padded([*values, 0.0, *([delta, -delta] if delta else [])])
    height = 64 + 34 * len(drawn)
    box = Box(206, 26, 540, height - 38)
    scale = Scale(low, high, box.left, box.right)
    widest = max((len(signed(row.effect, digits)) for row in drawn), default=0)
    body = [bottom_axis(box, scale, label, 5), *_delta_band(box, scale, delta)]
    for index, row in enumerate(drawn):
        assert row.effect is not None
        y = box.top + 17 + 34 * index
        group = Node("g", class_=f"effect {row.verdict.replace(' ', '-')}")
        text = f"{row.name}: {signed(row.effect, digits)} {interval(row.low, row.high, digits)}, {row.verdict}"
        group.add(Node("title", text), _row_label(row.name, box.left - 14, y + 4))
        if row.low is not None and row.high is not None:
            group.add(
                Node("line", x1=scale(row.low), x2=scale(row.high), y1=y, y2=y, class_="interval"),
                Node("line", x1=scale(row.low), x2=scale(row.low), y1=y - 5, y2=y + 5, class_="interval"),
                Node("line", x1=scale(row.high), x2=scale(row.high), y1=y - 5, y2=y + 5, class_="interval"),
            )
        group.add(Node("circle", cx=scale(row.effect), cy=y, r=5.5, class_="point"))
        group.add(Node("text", signed(row.effect, digits), x=box.right + 16, y=y + 4, class_="value strong"))
        group.add(
            Node("text", interval(row.low, row.high, digits), x=box.right + 32 + 7.4 * widest, y=y + 4, class_="value")
        )
        body.append(group)
    described = "; ".join(
        f"{row.name} {signed(row.effect, digits)} {interval(row.low, row.high, digits)} {row.verdict}" for row in drawn
    )
    return drawing(
        WIDTH, height, f"Effects ({label}) with {100 * level:.4g} % intervals", described or "no effects", *body
    )


def slopes(panels: list[tuple[str, list[Pair]]], metric: str, minimise: bool = False) -> list[Node]:
    """One drawing per trick: a line per block from the value without to the value with it, the means thick."""
    values = [value for _, pairs in panels for pair in pairs for value in (pair.without, pair.with_)]
    low, high = padded(values, 0.08)
    return [_slope_panel(name, pairs, metric, (low, high), minimise) for name, pairs in panels if pairs]


def _slope_panel(name: str, pairs: list[Pair], metric: str, limits: tuple[float, float], minimise: bool) -> Node:
    box = Box(58, 44, 212, 232)
    scale = Scale(limits[0], limits[1], box.bottom, box.top)
    left, right = box.left + 34, box.right - 34
    digits = decimals_for([limits[1] - limits[0]], 3)
    body = [left_axis(box, scale, metric)]
    for x, text in ((left, "without"), (right, "with")):
        body.append(Node("line", x1=x, x2=x, y1=box.top, y2=box.bottom, class_="post"))
        body.append(Node("text", text, x=x, y=box.bottom + 18, text_anchor="middle", class_="tick"))
    wins = 0
    for pair in pairs:
        gain = (pair.without - pair.with_) if minimise else (pair.with_ - pair.without)
        wins += gain > 0
        kind = "failed" if pair.failed else "up" if gain > 0 else "down" if gain < 0 else "same"
        text = f"block {pair.block}: {plain(pair.without, digits)} → {plain(pair.with_, digits)}"
        line = Node("g", Node("title", text + (" (a failed run, taken as the worst value)" if pair.failed else "")))
        line.attributes["class_"] = f"pair {kind}"
        line.add(Node("line", x1=left, y1=scale(pair.without), x2=right, y2=scale(pair.with_)))
        line.add(Node("circle", cx=left, cy=scale(pair.without), r=3.2))
        line.add(Node("circle", cx=right, cy=scale(pair.with_), r=3.2))
        body.append(line)
    mean_without = sum(pair.without for pair in pairs) / len(pairs)
    mean_with = sum(pair.with_ for pair in pairs) / len(pairs)
    body.append(
        Node("line", x1=left, y1=scale(mean_without), x2=right, y2=scale(mean_with), class_="mean", stroke_width=3)
    )
    heading = Node("text", Node("title", name), shortened(name, 28), x=8, y=16, class_="heading")
    text = (
        f"better in {wins} of {several(len(pairs), 'block')}; mean {plain(mean_without, digits)} without, "
        f"{plain(mean_with, digits)} with"
    )
    return drawing(226, 262, f"{name}: {metric} without and with the trick, per block", text, heading, *body)


def arrows(rows: list[Arrow], label: str, delta: float | None, digits: int) -> Node:
    """An arrow per trick from its effect alone to its effect in company: pointing left, the tricks get in each
    other's way; pointing right, they help each other."""
    low, high = padded([value for row in rows for value in (row.alone, row.company)] + [0.0], 0.08)
    height = 64 + 34 * len(rows)
    box = Box(206, 26, 574, height - 38)
    scale = Scale(low, high, box.left, box.right)
    marker = Node(
        "marker",
        Node("path", d="M0 0L8 4L0 8z", class_="head"),
        id="arrowhead",
        viewBox="0 0 8 8",
        refX=7,
        refY=4,
        markerWidth=7,
        markerHeight=7,
        orient="auto-start-reverse",
    )
    band = delta if delta and delta < max(high, -low) else None
    body = [Node("defs", marker), bottom_axis(box, scale, label, 5), *_delta_band(box, scale, band)]
    for index, row in enumerate(rows):
        y = box.top + 17 + 34 * index
        half = (row.company - row.alone) / 2
        text = f"{row.name}: alone {signed(row.alone, digits)}, with the others {signed(row.company, digits)}"
        group = Node("g", Node("title", text), _row_label(row.name, box.left - 14, y + 4), class_="interaction")
        start, end = scale(row.alone), scale(row.company)
        if abs(end - start) > 9:
            group.add(Node("line", x1=start, x2=end, y1=y, y2=y, class_="shaft", marker_end="url(#arrowhead)"))
        elif end != start:
            group.add(Node("line", x1=start, x2=end, y1=y, y2=y, class_="shaft"))
        group.add(Node("circle", cx=start, cy=y, r=4.5, class_="alone"))
        said = f"interaction {signed(half, digits)}" + ("" if row.p is None else f", p {probability(row.p)}")
        group.add(Node("text", said, x=box.right + 14, y=y + 4, class_="value"))
        body.append(group)
    described = "; ".join(f"{row.name} {signed(row.alone, digits)} to {signed(row.company, digits)}" for row in rows)
    return drawing(WIDTH, height, f"Effect ({label}) alone (dot) and with the other tricks (tip)", described, *body)
