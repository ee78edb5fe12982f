"""Runs with a network and with components of the user's own: trained, stopped, resumed, loaded, in ablations."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import MakeRun, comparable
from tricklab import registry
from tricklab.engine import execute, load_run
from tricklab.errors import UserError
from tricklab.records import Evidence, RunFolder, load_tree

NET = """
from torch import nn

from parts import WIDTH


class Net(nn.Module):
    def __init__(self, num_classes, in_channels, fail=False):
        super().__init__()
        self.fail = fail
        self.conv = nn.Conv2d(in_channels, WIDTH, 3, 2, bias=False)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(WIDTH, num_classes)

    def forward(self, x):
        found = self.drop(self.conv(x).relu().mean((2, 3)))
        return self.head(found[:, 1:] if self.fail else found)
"""
BLOCK = """
from torch import nn

from tricklab.registry import component


@component("block", given=("channels",))
class Louder(nn.Module):
    '''Twice as much.'''

    def __init__(self, *, channels: int) -> None:
        super().__init__()

    def forward(self, x):
        return 2 * x
"""


@pytest.fixture
def tree(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "parts.py").write_text("WIDTH = 6\n")
    (tmp_path / "net.py").write_text(NET)
    return {
        "task": "classification",
        "data": {"images": {"type": "SyntheticImages", "classes": 3, "per_class": 20, "size": 16}, "size": 16},
        "model": {"type": "module", "target": f"{tmp_path}/net.py:Net"},
        "train": {"epochs": 2, "batch_size": 8, "checkpoint_every": {"iterations": 2}, "log_every": {"iterations": 1}},
        "metric": {"monitor": "val/accuracy"},
    }


def stops_at(step: int) -> Any:
    """An observer that asks for a stop when the row of a step is written."""

    def observe(row: dict[str, Any]) -> None:
        if row["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return observe


def weights(run: RunFolder) -> dict[str, torch.Tensor]:
    return load_tree(run.checkpoint("weights"))


def test_a_network_of_ones_own_with_an_inserted_block(make_run: MakeRun, tree: dict[str, Any]) -> None:
    run = make_run("arm", calls=["+se(after=conv, reduction=2)"], tree=tree)
    result = execute(run.path, threads=1, progress=False)
    assert result["state"] == "finished"
    assert {name.partition(".")[0] for name in weights(run)} == {"conv", "head"}
    assert "conv.inserted.0.fc.0.weight" in weights(run)
    assert sorted(run.provenance()["execution"]["sources"]) == ["code of net: net.py", "code of net: parts.py"]
    loaded = load_run(run.path, threads=1)
    assert loaded.evaluate("val").values["accuracy"] == result["metric"]["value"]


def test_a_stopped_run_goes_on_with_the_same_code_alone(
    make_run: MakeRun, tree: dict[str, Any], tmp_path: Path
) -> None:
    whole, stopped = make_run("whole", tree=tree), make_run("stopped", tree=tree)
    execute(whole.path, threads=1, progress=False)
    assert execute(stopped.path, threads=1, progress=False, observers=[stops_at(5)])["state"] == "interrupted"
    for file, text in {"net.py": NET + "\n# more\n", "parts.py": "WIDTH = 6  # still\n"}.items():
        before = (tmp_path / file).read_text()
        (tmp_path / file).write_text(text)
        with pytest.raises(UserError, match=r"model\.target: the code of .* was changed after the recipe was resolved"):
            execute(stopped.path, threads=1, progress=False)
        assert stopped.status()["state"] == "refused"
        (tmp_path / file).write_text(before)
    assert execute(stopped.path, threads=1, progress=False)["state"] == "finished"
    assert all(torch.equal(weights(whole)[name], value) for name, value in weights(stopped).items())
    assert comparable(whole.metrics()) == comparable(stopped.metrics())


def test_a_stopped_run_goes_on_with_the_same_imports_alone(
    make_run: MakeRun, tree: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "louder.py"
    file.write_text(BLOCK)
    inserted = {**tree["model"], "insert": [{"type": "Louder", "after": "conv"}]}
    try:
        run = make_run("arm", tree={**tree, "model": inserted, "imports": [str(file)]})
        assert execute(run.path, threads=1, progress=False, observers=[stops_at(3)])["state"] == "interrupted"
        file.write_text(BLOCK.replace("2 * x", "3 * x"))
        with pytest.raises(UserError, match=r"began with another code of louder: louder\.py.*put it back"):
            execute(run.path, threads=1, progress=False)
        file.write_text(BLOCK)
        assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    finally:
        registry._RUNTIME.pop(("block", "Louder"), None)


def test_what_fails_in_ones_own_code_is_named_with_its_line(
    make_run: MakeRun, tree: dict[str, Any], tmp_path: Path
) -> None:
    tree["model"]["arguments"] = {"fail": True}
    outcome = execute(make_run("arm", tree=tree).path, threads=1, progress=False)
    line = NET.splitlines().index("        return self.head(found[:, 1:] if self.fail else found)") + 1
    assert outcome["state"] == "failed"
    assert outcome["message"].startswith(f"{tmp_path}/net.py:{line}: RuntimeError: ")
    assert "mat1 and mat2" in outcome["message"]


def test_first_weights_of_a_file_are_recorded_and_not_needed_afterwards(
    make_run: MakeRun, tree: dict[str, Any], tmp_path: Path
) -> None:
    first = make_run("first", tree=tree)
    execute(first.path, threads=1, progress=False)
    file = tmp_path / "first.safetensors"
    file.write_bytes(first.checkpoint("weights").read_bytes())
    tree["model"]["weights"] = str(file)
    second = make_run("second", tree=tree)
    file.rename(tmp_path / "away")
    with pytest.raises(UserError, match=r"first\.safetensors: no such file"):
        execute(second.path, threads=1, progress=False)
    (tmp_path / "away").rename(file)
    assert execute(second.path, threads=1, progress=False)["state"] == "finished"
    found = Evidence.from_folder(second.path).fact("model/weights_loaded")
    assert found == {"source": str(file), "entry": "", "loaded": 3, "kept": [], "unused": []}
    begun = [Evidence.from_folder(run.path).fact("initial_weights_digest") for run in (first, second)]
    assert begun[0] != begun[1]
    file.unlink()
    result = second.result()
    assert result is not None
    assert load_run(second.path, threads=1).evaluate("val").values["accuracy"] == result["metric"]["value"]


@pytest.mark.slow
def test_an_ablation_of_a_network_of_ones_own(tree: dict[str, Any], tmp_path: Path) -> None:
    from tricklab.lab import ablate

    tree["metric"]["delta"] = 0.05
    found = ablate(tree, ["+se(after=conv, reduction=2)"], blocks=2, out=tmp_path / "runs", workers=1, progress=False)
    runs = sorted((tmp_path / "runs").glob("*/*/*/status.json"))
    assert len(runs) == 4
    assert {RunFolder.open(run.parent).status()["state"] for run in runs} == {"finished"}
    assert found is not None
