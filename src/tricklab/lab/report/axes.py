"""Scales, ticks and the frame of a plot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from tricklab.lab.report.svg import Node


@dataclass(frozen=True)
class Scale:
    """A linear map from data ``low..high`` to pixels ``start..end``.

    >>> Scale(0, 10, 100, 200)(5)
    150.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        width = self.high - self.low
        return self.start + (value - self.low) / (width if width else 1.0) * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values (1, 2, 2.5 or 5 times a power of ten apart) within ``low..high``, about ``count`` of them.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.8)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) + 0.0 for index in range(first, last + 1)]


def padded(values: list[float], share: float = 0.06, least: float = 0.0) -> tuple[float, float]:
    """The range of ``values``, widened by ``share`` on either side; at least ``least`` wide, never empty."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    width = max(high - low, least, 1e-9 * max(abs(low), abs(high), 1e-3))
    middle = (low + high) / 2
    half = width / 2 * (1 + 2 * share)
    return middle - half, middle + half


def tick_text(value: float, all_ticks: list[float]) -> str:
    """A tick with as many decimals as tell the ticks apart; thousands as k, millions as M.

    >>> tick_text(20000.0, [0.0, 20000.0]), tick_text(0.98, [0.96, 0.97, 0.98])
    ('20k', '0.98')
    """
    largest = max((abs(tick) for tick in all_ticks), default=0.0)
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if largest >= 10 * size or (size == 1e6 and largest >= size):
            text = f"{value / size:.3f}".rstrip("0").rstrip(".")
            return f"{text}{letter}" if value else "0"
    step = min((b - a for a, b in pairwise(all_ticks)), default=largest) or 1.0
    decimals = 0 if step <= 0 else max(0, min(8, -math.floor(math.log10(step) + 1e-9)))
    if abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Box:
    """The rectangle that data are drawn in, in pixels."""

    left: float
    top: float
    right: float
    bottom: float


def bottom_axis(box: Box, scale: Scale, label: str, count: int = 6) -> Node:
    """Grid lines, tick texts and the label below."""
    group = Node("g", class_="axis x")
    values = ticks(scale.low, scale.high, count)
    for value in values:
        x = scale(value)
        group.add(
            Node("line", x1=x, x2=x, y1=box.top, y2=box.bottom, class_="grid"),
            Node("text", tick_text(value, values), x=x, y=box.bottom + 16, text_anchor="middle", class_="tick"),
        )
    group.add(
        Node("line", x1=box.left, x2=box.right, y1=box.bottom, y2=box.bottom, class_="rule"),
        Node("text", label, x=(box.left + box.right) / 2, y=box.bottom + 36, text_anchor="middle", class_="label"),
    )
    return group


def left_axis(box: Box, scale: Scale, label: str, count: int = 5) -> Node:
    """Grid lines, tick texts and the label on the left (written above the plot, so that nobody turns the head)."""
    group = Node("g", class_="axis y")
    values = ticks(scale.low, scale.high, count)
    for value in values:
        y = scale(value)
        group.add(
            Node("line", x1=box.left, x2=box.right, y1=y, y2=y, class_="grid"),
            Node("text", tick_text(value, values), x=box.left - 8, y=y + 4, text_anchor="end", class_="tick"),
        )
    group.add(Node("text", label, x=box.left, y=box.top - 10, class_="label"))
    return group
