"""Provenance names what can change a number, and costs no torch."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

from tricklab.records import environment, source_hash
from tricklab.records.environment import git_state


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_the_room_imports_no_torch() -> None:
    code = (
        "import sys, tricklab.records as r; r.environment(); r.Evidence(); "
        "print(sorted({'torch', 'safetensors', 'lightning'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_versions_threads_and_sources_are_named() -> None:
    import torch

    found = environment(data_digest={"train": "ab"})
    assert found["versions"]["torch"] == torch.__version__.split("+")[0]
    assert found["threads"] == torch.get_num_threads()
    assert found["data_digest"] == {"train": "ab"}
    assert found["cores"] >= 1
    assert found["platform"] == f"{platform.system()} {platform.machine()}"
    assert platform.release() not in str(found)
    assert len(found["source"]) == 32


def test_the_source_hash_sees_content_and_names(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    first = source_hash(tmp_path)
    assert source_hash(tmp_path) == first
    (tmp_path / "a.py").write_text("x = 2\n")
    second = source_hash(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, source_hash(tmp_path)}) == 3


def test_git_state_says_whether_tracked_files_changed(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("1")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-q", "-m", "first")
    clean = git_state(tmp_path)
    assert clean is not None
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    (tmp_path / "a.txt").write_text("2")
    assert git_state(tmp_path) == {"commit": clean["commit"], "dirty": True}
