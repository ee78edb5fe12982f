"""A file is replaced whole or not at all, on a disk that fills up too."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tricklab.records import save_tree
from tricklab.records.atomic import clear_leftovers, replacing, write_atomic

FULL_DISK = """
import resource, sys
from pathlib import Path
from tricklab.records import load_tree, save_tree, write_atomic
from tricklab.records.json_lines import append_line, read_lines

folder = Path(sys.argv[1])
write_atomic(folder / "status.json", "old")
save_tree(folder / "resume.safetensors", {"step": 1})
append_line(folder / "metrics.jsonl", {"step": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
import torch
for attempt in (
    lambda: write_atomic(folder / "status.json", "new" * 1000),
    lambda: save_tree(folder / "resume.safetensors", {"step": 2, "weights": torch.zeros(1000)}),
    lambda: append_line(folder / "metrics.jsonl", {"step": 2, "text": "x" * 2000}),
):
    try:
        attempt()
    except OSError as error:
        print("refused", error.errno)
append_line(folder / "metrics.jsonl", {"step": 3})
print((folder / "status.json").read_text(), load_tree(folder / "resume.safetensors"))
print([row["step"] for row in read_lines(folder / "metrics.jsonl")])
print(sorted(path.name for path in folder.iterdir()))
"""


def test_content_is_replaced_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "status.json"
    write_atomic(path, "first")
    write_atomic(path, "größer".encode())
    assert path.read_text(encoding="utf-8") == "größer"
    assert [found.name for found in path.parent.iterdir()] == ["status.json"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", "x")
        save_tree(tmp_path / "b", {"x": torch.ones(1)})
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o640, 0o640]


def test_a_failing_writer_leaves_the_old_file(tmp_path: Path) -> None:
    def write() -> None:
        with replacing(tmp_path / "a") as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    write_atomic(tmp_path / "a", "old")
    with pytest.raises(RuntimeError, match="stop"):
        write()
    assert (tmp_path / "a").read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["a"]


def test_readers_never_see_a_part(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", "old")
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("new, half wri")
        assert (tmp_path / "a").read_text() == "old"
        temporary.write_text("new")
    assert (tmp_path / "a").read_text() == "new"


def test_a_full_disk_leaves_every_old_file_intact(tmp_path: Path) -> None:
    found = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [
        "refused 27",
        "refused 27",
        "refused 27",
        "old {'step': 1}",
        "[1, 3]",
        "['metrics.jsonl', 'resume.safetensors', 'status.json']",
    ]


def test_leftovers_of_killed_writers_are_cleared(tmp_path: Path) -> None:
    (tmp_path / ".status.json.4711-0.partial").write_text("half")
    (tmp_path / "status.json").write_text("whole")
    assert clear_leftovers(tmp_path) == 1
    assert [found.name for found in tmp_path.iterdir()] == ["status.json"]
