from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tricklab.engine.checkpoint import SafeCheckpointIO
from tricklab.errors import UserError


def test_one_file_of_safetensors_and_json(tmp_path: Path) -> None:
    path = tmp_path / "resume.safetensors"
    tree = {"state_dict": {"w": torch.arange(3.0)}, "optimizer_states": [{"state": {0: {"step": torch.tensor(2.0)}}}]}
    SafeCheckpointIO().save_checkpoint(tree, path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert header["state_dict.w"]["dtype"] == "F32"
    assert [file.name for file in tmp_path.iterdir()] == ["resume.safetensors"]
    back = SafeCheckpointIO().load_checkpoint(path)
    assert torch.equal(back["state_dict"]["w"], tree["state_dict"]["w"])
    assert back["optimizer_states"][0]["state"].keys() == {0}


def test_missing_and_torn_files_are_user_errors(tmp_path: Path) -> None:
    reader = SafeCheckpointIO()
    with pytest.raises(UserError, match="no checkpoint"):
        reader.load_checkpoint(tmp_path / "none.safetensors")
    torn = tmp_path / "torn.safetensors"
    reader.save_checkpoint({"w": torch.zeros(100)}, torn)
    torn.write_bytes(torn.read_bytes()[:200])
    with pytest.raises(UserError):
        reader.load_checkpoint(torn)


def test_remove(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    SafeCheckpointIO().save_checkpoint({"w": torch.zeros(1)}, path)
    SafeCheckpointIO().remove_checkpoint(path)
    SafeCheckpointIO().remove_checkpoint(path)
    assert not path.exists()
