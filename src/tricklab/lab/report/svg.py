"""Elements of an SVG drawing: every text and attribute is escaped when it is written."""

from __future__ import annotations

import re
from html import escape

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class Node:
    """One element: ``Node("text", "a < b", x=3, class_="tick")`` writes ``<text x="3" class="tick">a &lt; b</text>``.

    Underscores in attribute names become hyphens, a trailing one is dropped, ``None`` leaves the attribute out,
    numbers are written with at most two decimals. Children are nodes or text.

    >>> str(Node("text", "a < b", x=3.14159, stroke_width=2, class_="tick"))
    '<text x="3.14" stroke-width="2" class="tick">a &lt; b</text>'
    """

    def __init__(self, tag: str, *children: Node | str, **attributes: str | float | None) -> None:
        self.tag = tag
        self.children: list[Node | str] = list(children)
        self.attributes = attributes

    def add(self, *children: Node | str) -> Node:
        self.children.extend(children)
        return self

    def __str__(self) -> str:
        parts = [self.tag]
        for name, value in self.attributes.items():
            if value is not None:
                parts.append(f'{name.rstrip("_").replace("_", "-")}="{escape(_text(value))}"')
        opening = " ".join(parts)
        if not self.children:
            return f"<{opening}/>"
        inner = "".join(
            str(child) if isinstance(child, Node) else escape(_text(child), quote=False) for child in self.children
        )
        return f"<{opening}>{inner}</{self.tag}>"

    __html__ = __str__  # Jinja2 writes a node as it is


def _text(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if value == value else "0"
    return _FORBIDDEN.sub("\ufffd", str(value))


def drawing(width: float, height: float, title: str, description: str, *children: Node, class_: str = "figure") -> Node:
    """The root element, with the title and description that a screen reader speaks."""
    return Node(
        "svg",
        Node("title", title),
        Node("desc", description),
        *children,
        viewBox=f"0 0 {_text(float(width))} {_text(float(height))}",
        role="img",
        class_=class_,
        xmlns="http://www.w3.org/2000/svg",
    )


def standalone(node: Node, css: str) -> str:
    """A drawing as a file of its own: the style inside, a ground that follows light and dark."""
    width, height = str(node.attributes["viewBox"]).split()[2:]
    alone = Node(node.tag, **{**node.attributes, "width": width, "height": height})
    ground = Node("rect", width=width, height=height, class_="ground")
    alone.add(*node.children[:2], Node("style", css + ".ground { fill: var(--paper); }"), ground, *node.children[2:])
    # inside an SVG file a style element is text; it holds neither < nor &
    assert "<" not in css and "&" not in css  # noqa: PT018
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{alone}\n'


def path(points: list[tuple[float, float]], **attributes: str | float | None) -> Node:
    """A line through ``points`` (pixels), one decimal each."""
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return Node("path", d=f"M{steps}" if points else "", fill=attributes.pop("fill", "none"), **attributes)


def area(upper: list[tuple[float, float]], lower: list[tuple[float, float]], **attributes: str | float | None) -> Node:
    """The closed area between two lines of the same length."""
    outline = upper + lower[::-1]
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in outline)
    return Node("path", d=f"M{steps}Z" if outline else "", **attributes)
