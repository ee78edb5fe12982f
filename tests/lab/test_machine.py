"""What a machine offers to runs of several processes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tricklab.errors import UserError
from tricklab.lab.machine import grouped, processes_of


@pytest.mark.parametrize(
    ("devices", "processes", "expected"),
    [
        (["0", "1", "2"], 1, ["0", "1", "2"]),
        (["0", "1", "2", "3"], 2, ["0,1", "2,3"]),
        (["4", "5", "6"], 2, ["4,5"]),
        ([], 2, []),
    ],
)
def test_devices_are_grouped_for_runs(devices: list[str | None], processes: int, expected: list[str]) -> None:
    assert grouped(devices, processes) == expected


def test_too_few_devices_are_refused() -> None:
    with pytest.raises(UserError, match=r"trains on 3 devices, and 2 are visible.*train\.devices=2"):
        grouped(["0", "1"], 3)


def test_the_hungriest_cell_counts() -> None:
    recipes = [{"train": {"devices": 2}}, {"train": {}}, {"function": "module:name"}, {"train": "words"}]
    assert processes_of(SimpleNamespace(recipe=recipe) for recipe in recipes) == 2
    assert processes_of([]) == 1
