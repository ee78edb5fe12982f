from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.engine.conftest import MakeRun
from tricklab.engine import execute
from tricklab.engine.averagings import carrying
from tricklab.engine.evaluation import evaluating
from tricklab.engine.finish import strict_load
from tricklab.errors import UserError
from tricklab.models.hybridsn import HybridSN
from tricklab.records import Evidence


class Stubborn(nn.Dropout):
    def train(self, mode: bool = True) -> nn.Dropout:
        return super().train(True)


def test_modules_that_stay_in_training_mode_are_named() -> None:
    model = nn.Sequential(nn.Linear(2, 2), Stubborn(), nn.Dropout())
    model[2].eval()
    with evaluating(model) as left:
        assert left == ("1",)
        assert not model[0].training
    assert [part.training for part in model] == [True, True, False]
    assert model.training


def test_carrying_gives_the_own_weights_back_bit_for_bit() -> None:
    model = nn.BatchNorm1d(3)
    model(torch.randn(8, 3))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    other = {name: tensor + 1 for name, tensor in before.items()}
    with carrying(model, other):
        assert torch.equal(model.weight, before["weight"] + 1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_strict_load_accounts_for_every_key() -> None:
    model = nn.Linear(2, 3)
    whole = {name: torch.ones_like(tensor) for name, tensor in model.state_dict().items()}
    assert strict_load(model, whole, "here") == {"missing": [], "unexpected": [], "loaded": 2}
    assert torch.equal(model.weight, torch.ones(3, 2))
    with pytest.raises(UserError, match=r"1 keys missing \(first: \['bias'\]\), 1 unexpected"):
        strict_load(model, {"weight": whole["weight"], "module.bias": whole["bias"]}, "here")
    with pytest.raises(UserError, match=r"weight has shape \(2, 2\), the model needs \(3, 2\)"):
        strict_load(model, {**whole, "weight": torch.ones(2, 2)}, "here")


def test_dropout_left_on_at_evaluation_is_found(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    build = HybridSN.__init__

    def with_stubborn_dropout(self: HybridSN, *arguments: Any, **options: Any) -> None:
        build(self, *arguments, **options)
        self.dropout = Stubborn(0.4)

    monkeypatch.setattr(HybridSN, "__init__", with_stubborn_dropout)
    run = make_run(overrides=["train.epochs=1"])
    execute(run.path, threads=1, progress=False)
    evidence = Evidence.from_folder(run.path)
    assert evidence.fact("evaluate/training_modules") == ["dropout"]
    assert evidence.fact("evaluate/repeat_difference") > 1e-3
    assert {"S02", "S12"} <= {event["rule"] for event in run.events() if event["kind"] == "finding"}
