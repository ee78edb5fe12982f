"""A list of findings on the terminal, cut where it grows long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 10


def print_list(console: Console, title: str, items: Sequence[str], shown: int = SHOWN) -> None:
    """Print a title and the first ``shown`` of the items below it; nothing where there are no items."""
    if not items:
        return
    for text in (title, *(f"  {item}" for item in items[:shown])):
        console.print(text, markup=False, soft_wrap=True)
    if len(items) > shown:
        more = f"  … and {len(items) - shown:,} more (--json lists all)"
        console.print(more, markup=False, soft_wrap=True)
