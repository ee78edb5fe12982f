"""An ensemble is one module whose softmax is the mean of its members'."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.engine.conftest import MakeRun
from tricklab.engine import execute, load_run
from tricklab.engine.averagings import averaging_key, carrying
from tricklab.engine.evaluation import evaluating
from tricklab.inference.ensemble import Ensemble, log_mean_probability, member_count, member_weights, shaped_for
from tricklab.records import Evidence, load_tree

LENGTH = ["train.epochs=2"]


class Named(nn.Module):
    """Gives a dict as every network of the catalogue does."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"main": self.linear(x), "aux": 2 * self.linear(x)}


def test_probabilities_are_the_mean_of_the_members() -> None:
    torch.manual_seed(0)
    parts = [Named() for _ in range(3)]
    tree = {f"ensemble_members.{i}.{name}": t for i, part in enumerate(parts) for name, t in part.state_dict().items()}
    assert member_count(tree) == 3
    host = Named()
    own = {name: tensor.clone() for name, tensor in host.state_dict().items()}
    x = torch.randn(5, 3)
    with carrying(host, tree) as ensemble, torch.no_grad():
        found = ensemble(x)
    for name in ("main", "aux"):
        mean = torch.stack([part(x)[name].double().softmax(1) for part in parts]).mean(0)
        assert torch.allclose(found[name].double().softmax(1), mean, atol=1e-7)
        assert torch.allclose(found[name].double().exp(), mean, atol=1e-7)
    assert all(tensor.equal(own[name]) for name, tensor in host.state_dict().items())
    assert [list(state) for state in member_weights(tree)] == [["linear.weight", "linear.bias"]] * 3


def test_extreme_logits_stay_finite() -> None:
    logits = [torch.tensor([[200.0, -200.0]]), torch.tensor([[-200.0, 200.0]])]
    assert torch.allclose(log_mean_probability(logits).exp(), torch.tensor([[0.5, 0.5]]))
    maps = [torch.randn(2, 3, 4, 4) for _ in range(2)]
    assert torch.allclose(log_mean_probability(maps).exp().sum(1), torch.ones(2, 4, 4))


def test_weights_of_one_model_are_no_ensemble() -> None:
    model = Named()
    assert member_count(model.state_dict()) == 0
    assert shaped_for(model, model.state_dict()) is model
    assert member_weights(model.state_dict()) == []


def test_a_snapshot_run_scores_the_ensemble_beside_the_last_model(make_run: MakeRun) -> None:
    run = make_run("snapshot", LENGTH, ["+snapshot(members=2)"])
    result = execute(run.path, threads=1, progress=False)
    assert result["state"] == "finished", run.status()

    evidence = Evidence.from_folder(run.path)
    tree = load_tree(run.checkpoint(f"average-{averaging_key(evidence.recipe['evaluate']['averaging'])}"))
    last = load_tree(run.checkpoint("weights"))
    assert member_count(tree) == 2
    assert all(tensor.equal(last[name]) for name, tensor in member_weights(tree)[1].items())
    assert result["members"][1] == pytest.approx(result["raw"])
    assert result["values"] == result["averaged"]
    assert result["values"] != result["raw"]

    loaded = load_run(run.path, device="cpu", threads=1)
    assert isinstance(loaded.model, Ensemble)
    whole = loaded.evaluate("val")
    with evaluating(loaded.model):
        single = [loaded.task.evaluate(one, "val") for one in loaded.model.ensemble_members]  # type: ignore[arg-type]
    assert whole.probabilities is not None
    mean = np.mean([one.probabilities for one in single], axis=0)
    assert np.allclose(whole.probabilities, mean, atol=1e-6)
    assert whole.values["oa"] == result["values"]["val/oa"]
    rates = evidence.series("lr")[1]
    assert rates.min() < 0.2 * rates.max()


@pytest.mark.slow
def test_swa_and_fge_under_one_schedule_share_a_training(make_run: MakeRun) -> None:
    arguments = "start=0.25, lr_ratio=0.5, cycles=3"
    fge = make_run("fge", LENGTH, ["+fge(members=3, start=0.25, high=0.5, low=0.005, shape=linear)"])
    swa = make_run("swa", LENGTH, [f"+swa({arguments})"], fit_from="both/0")
    observers = [swa.recipe["evaluate"]["averaging"]]
    both = make_run(
        "both", LENGTH, ["+fge(members=3, start=0.25, high=0.5, low=0.005, shape=linear)"], observers=observers
    )
    alone = make_run("alone", LENGTH, [f"+swa({arguments})"])
    results = [execute(run.path, threads=1, progress=False) for run in (both, swa, alone, fge)]
    assert [result["state"] for result in results] == ["finished"] * 4
    assert results[1]["averaged"] == results[2]["averaged"]
    assert results[0]["averaged"] == results[3]["averaged"]
    assert results[0]["fit_identity"] == results[2]["fit_identity"]
    assert Evidence.from_folder(swa.path).fact("averaging/distance")["updates"] == 3
