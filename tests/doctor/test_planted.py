"""Real tiny runs with one planted fault each: the doctor finds it in the run folder, and not in the clean twin."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from tests.engine.conftest import MakeRun, make_run, tiny_recipe
from tricklab.doctor import run_rules
from tricklab.engine import execute
from tricklab.models.hybridsn import HybridSN
from tricklab.records import Evidence

__all__ = ["make_run"]
pytestmark = pytest.mark.slow

EVERY_STEP = "train.log_every={iterations: 1}"
DISJOINT = "data.split={type: DisjointBands, train: 0.3, val: 0.3}"
# rule: (overrides and tricks with the fault, overrides and tricks of the clean twin)
FAULTS: dict[str, tuple[list[str], list[str]]] = {
    "M01": (["optimizer.lr=1e-9"], ["train.epochs=8", "optimizer.lr=0.005"]),
    "O01": (["data.whiten=false"], ["data.whiten=true"]),
    "O04": (["optimizer.lr=0.03", "train.epochs=6", EVERY_STEP], ["train.epochs=6", EVERY_STEP]),
    "D06": (["data.fit_on=all"], ["data.fit_on=train"]),
    "D07": ([], [DISJOINT]),
    "D15": (["metric.delta=0.001"], ["metric.delta=0.2"]),
    "O16": (["train.epochs=3", "+step_decay(at=[2, 5])"], ["train.epochs=6", "+step_decay(at=[2, 5])"]),
    "S05": (["+ema(decay=0.9999, warmup=false)"], ["+ema(decay=0.5, warmup=true)"]),
}


def found_in(make: MakeRun, name: str, changes: list[str], tree: dict[str, Any] | None = None) -> set[str]:
    calls = [change for change in changes if change.startswith("+")]
    run = make(name, [change for change in changes if change not in calls], calls, tree=tree)
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    return {finding.rule for finding in run_rules(Evidence.from_folder(run.path))}


@pytest.mark.parametrize("rule", FAULTS)
def test_fault_is_found_in_the_run_and_not_in_its_twin(make_run: MakeRun, rule: str) -> None:
    faulty, clean = FAULTS[rule]
    assert rule in found_in(make_run, "faulty", faulty)
    assert rule not in found_in(make_run, "clean", clean)


def test_overfitting_is_found_when_labels_are_few(make_run: MakeRun) -> None:
    tree = tiny_recipe()
    tree["data"]["scene"]["noise"] = 4.0
    tree["model"]["dropout"] = 0.0
    long = ["train.epochs=25", "data.split.train=0.05"]
    assert "S09" in found_in(make_run, "long", long, tree)
    assert "S09" not in found_in(make_run, "short", ["train.epochs=5"])


class Stubborn(nn.Dropout):
    """Dropout that ignores eval()."""

    def train(self, mode: bool = True) -> nn.Dropout:
        return super().train(True)


def test_dropout_that_ignores_eval_is_found(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    build = HybridSN.__init__

    def stubborn(self: HybridSN, *arguments: Any, **options: Any) -> None:
        build(self, *arguments, **options)
        self.dropout = Stubborn(0.4)

    assert not {"S02", "S12"} & found_in(make_run, "clean", [])
    monkeypatch.setattr(HybridSN, "__init__", stubborn)
    assert {"S02", "S12"} <= found_in(make_run, "stubborn", [])
