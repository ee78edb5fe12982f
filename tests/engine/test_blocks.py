"""The same block gives the same weights, order, augmentation and dropout, whatever the arm and the workers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.engine.conftest import MakeRun, comparable
from tricklab.engine import execute
from tricklab.engine.prepared import Prepared, prepare
from tricklab.engine.steps import seed_dropout
from tricklab.records import Evidence, RunFolder, load_tree
from tricklab.seeds import Seeds


def ready(run: RunFolder) -> Prepared:
    return prepare(run, "cpu")


def batches(prepared: Prepared, epoch: int) -> list[dict[str, Any]]:
    loader = prepared.task.loader("train")
    loader.batch_sampler.set_epoch(epoch)
    return list(loader)


def test_shared_weights_are_equal_across_arms(make_run: MakeRun) -> None:
    plain = ready(make_run("plain")).task.build_model().state_dict()
    with_se = ready(make_run("se", calls=["+se(reduction=4)"])).task.build_model().state_dict()
    assert set(plain) < set(with_se)
    assert all(torch.equal(plain[name], with_se[name]) for name in plain)


def test_another_block_differs_in_everything(make_run: MakeRun) -> None:
    zero, one = ready(make_run(block=0)), ready(make_run(block=1))
    left, right = zero.task.build_model().state_dict(), one.task.build_model().state_dict()
    assert not any(torch.equal(left[name], right[name]) for name in left)
    assert zero.task.digest()["train"] != one.task.digest()["train"]
    assert not torch.equal(batches(zero, 0)[0]["index"], batches(one, 0)[0]["index"])


def test_order_and_augmentation_are_equal_across_arms(make_run: MakeRun) -> None:
    plain = batches(ready(make_run("plain", calls=["+flips"])), 3)
    other = batches(ready(make_run("other", calls=["+flips", "+spectral_noise", "+se(reduction=4)"])), 3)
    for mine, its in zip(plain, other, strict=True):
        assert torch.equal(mine["index"], its["index"])
        shared = mine["drawn"].keys() & its["drawn"].keys()
        assert shared
        assert all(torch.equal(mine["drawn"][name], its["drawn"][name]) for name in shared)


def test_dropout_depends_on_the_block_and_the_micro_batch_alone() -> None:
    def mask(block: int, micro: int) -> torch.Tensor:
        torch.rand(block + micro)
        seed_dropout(Seeds(0, block), micro, 0, torch.device("cpu"))
        return torch.nn.functional.dropout(torch.ones(64), 0.5)

    assert torch.equal(mask(0, 5), mask(0, 5))
    assert not torch.equal(mask(0, 5), mask(0, 6))
    assert not torch.equal(mask(0, 5), mask(1, 5))


def test_the_generator_of_an_apple_device_is_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.mps, "manual_seed", seeded.append)
    for micro in (5, 5, 6):
        seed_dropout(Seeds(0, 0), micro, 0, torch.device("mps"))
    assert seeded[0] == seeded[1] != seeded[2]


def test_workers_change_no_bit(make_run: MakeRun) -> None:
    runs = [make_run(f"workers{n}", [f"train.workers={n}"], ["+flips", "+spectral_noise"]) for n in (0, 2)]
    for run in runs:
        execute(run.path, threads=1, progress=False)
    left, right = (load_tree(run.checkpoint("weights")) for run in runs)
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert comparable(runs[0].metrics()) == comparable(runs[1].metrics())


def test_an_averaging_watches_without_touching(make_run: MakeRun) -> None:
    plain, watched = make_run("plain"), make_run("watched", calls=["+ema(decay=0.9)"])
    for run in (plain, watched):
        execute(run.path, threads=1, progress=False)
    left, right = (load_tree(run.checkpoint("weights")) for run in (plain, watched))
    assert all(torch.equal(left[name], right[name]) for name in left)
    facts = [Evidence.from_folder(run.path).facts for run in (plain, watched)]
    assert facts[0]["initial_weights_digest"] == facts[1]["initial_weights_digest"]
    assert facts[0]["order_hash"] == facts[1]["order_hash"]
    assert plain.result()["fit_identity"] == watched.result()["fit_identity"]
    assert plain.result()["raw"] == watched.result()["raw"]
