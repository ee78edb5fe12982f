"""Long lists are cut and say by how much."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tricklab.data.printed_list import print_list


@pytest.mark.parametrize(("number", "lines", "last"), [(0, 0, None), (3, 4, "  item 2"), (12, 12, None)])
def test_the_first_items_and_how_many_more(number: int, lines: int, last: str | None) -> None:
    out = io.StringIO()
    print_list(Console(file=out, width=40), "found", [f"item {n}" for n in range(number)])
    said = out.getvalue().splitlines()
    assert len(said) == lines
    if last is not None:
        assert said[-1] == last
    if number == 12:
        assert said[-1] == "  … and 2 more (--json lists all)"
