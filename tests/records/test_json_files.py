"""Appended rows survive a killed writer; JSON on disk is strict and exact."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tricklab.errors import UserError
from tricklab.records import dumps, loads, read_json
from tricklab.records.json_lines import append_line, read_lines, rewrite_lines


def test_non_finite_numbers_survive_strict_json(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    append_line(path, {"loss": math.nan, "more": [math.inf, -math.inf, 1.5]})
    (row,) = read_lines(path)
    assert math.isnan(row["loss"])
    assert row["more"] == [math.inf, -math.inf, 1.5]
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not strict JSON"))


def test_a_row_returns_as_it_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    row = {
        "hash": {3: "ab"},
        "shape": (1, 2),
        "n": np.int64(4),
        "x": np.float32(0.5),
        "t": torch.tensor(2.0),
        "p": tmp_path,
    }
    returned = append_line(path, row)
    assert returned == {"hash": {"3": "ab"}, "shape": [1, 2], "n": 4, "x": 0.5, "t": 2.0, "p": str(tmp_path)}
    assert read_lines(path) == [returned]
    assert type(returned["n"]) is int


def test_floats_read_back_exactly() -> None:
    values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0]
    assert [value.hex() for value in loads(dumps(values))] == [value.hex() for value in values]


@pytest.mark.parametrize("value", [object(), {(1, 2): 3}, {"f": print}])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


@pytest.mark.parametrize("cut", [1, 5, 11])
def test_a_torn_last_line_is_left_out_and_then_replaced(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for step in range(3):
        append_line(path, {"step": step})
    path.write_bytes(path.read_bytes()[:-cut])
    assert [row["step"] for row in read_lines(path)] == [0, 1]
    append_line(path, {"step": 9})
    assert [row["step"] for row in read_lines(path)] == [0, 1, 9]


def test_a_torn_line_longer_than_a_block_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append_line(path, {"step": 0})
    with open(path, "ab") as file:
        file.write(b'{"text": "' + b"x" * 200_000)
    append_line(path, {"step": 1})
    assert read_lines(path) == [{"step": 0}, {"step": 1}]


def test_a_file_of_one_torn_line_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"ste')
    assert read_lines(path) == []
    append_line(path, {"step": 1})
    assert read_lines(path) == [{"step": 1}]


def test_damage_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl:2: this line is not JSON"):
        read_lines(path)
    path.write_text("[1]\n")
    with pytest.raises(UserError, match=r"metrics\.jsonl:1: this line is not a JSON object"):
        read_lines(path)


def test_rewriting_keeps_the_rows(tmp_path: Path) -> None:
    rows = [{"step": 1, "loss": math.inf}, {"step": 2, "text": "zwei\nZeilen"}]
    rewrite_lines(tmp_path / "m.jsonl", rows)
    assert read_lines(tmp_path / "m.jsonl") == rows


def test_reading_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"plan\.json: no such file"):
        read_json(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(UserError, match=r"plan\.json: this is not JSON"):
        read_json(tmp_path / "plan.json")
