"""Frozen parts of a run: their bits, their batch normalisation, and stops around the moment that releases them."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import torch

from tests.engine.conftest import MakeRun, comparable
from tests.engine.test_mask_resume import recipe
from tricklab.engine import execute
from tricklab.engine.prepared import prepare
from tricklab.errors import UserError
from tricklab.records import RunFolder, load_tree
from tricklab.records.evidence import facts_of

# 8 steps an epoch, 16 in all
ITEMS = ["train.freeze=[{match: conv1, until: {iterations: 5}}, {layers: 2, until: {epochs: 1}}]"]
STEPWISE = ["train.checkpoint_every={iterations: 1}", "train.validate_every={iterations: 3}"]
IMAGES = {
    "task": "classification",
    "data": {"images": {"type": "SyntheticImages", "per_class": 8}, "size": 32},
    "model": {"type": "timm", "name": "test_resnet"},
    "train": {"epochs": 2, "batch_size": 16, "freeze": [{"match": "layer1"}]},
    "optimizer": {"type": "AdamW", "lr": 0.01, "weight_decay": 0.1},
    "metric": {"monitor": "val/accuracy"},
}


def stop(number: int) -> Any:
    """An observer that stops the run once, when the row of a step is written."""
    done: list[int] = []

    def observe(row: dict[str, Any]) -> None:
        if row["step"] == number and not done:
            done.append(number)
            os.kill(os.getpid(), signal.SIGTERM)

    return observe


def freeze_facts(run: RunFolder) -> dict[str, Any]:
    return {name: value for name, value in facts_of(run.events()).items() if name.startswith("freeze/")}


@pytest.mark.slow
@pytest.mark.parametrize(("accumulate", "steps"), [(1, (4, 5, 6, 8)), (2, (5,))])
def test_a_stop_before_at_and_after_the_moment_changes_no_bit(
    make_run: MakeRun, accumulate: int, steps: tuple[int, ...]
) -> None:
    options = [*ITEMS, *STEPWISE, "train.log_every={iterations: 1}"]
    if accumulate == 2:
        options += ["train.accumulate=2", "train.batch_size=8"]
    whole = make_run("whole", options)
    assert execute(whole.path, threads=1, progress=False)["state"] == "finished"
    expected = load_tree(whole.checkpoint("weights"))
    for step in steps:
        run = make_run(f"stopped{step}", options)
        first = execute(run.path, threads=1, progress=False, observers=[stop(step)])
        assert first["state"] == "interrupted"
        assert load_tree(run.checkpoint("resume"))["global_step"] == step
        assert execute(run.path, threads=1, progress=False)["state"] == "finished"
        found = load_tree(run.checkpoint("weights"))
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        assert comparable(run.metrics()) == comparable(whole.metrics())
        assert freeze_facts(run) == freeze_facts(whole)


def test_the_hashes_say_when_a_part_moved(make_run: MakeRun) -> None:
    run = make_run("hashes", ITEMS)
    execute(run.path, threads=1, progress=False)
    facts = freeze_facts(run)
    conv1, both = facts["freeze/parts"]
    assert (conv1["item"], conv1["until"], conv1["tensors"], conv1["first"]) == ("match: conv1", 5, 2, "conv1.weight")
    assert (both["item"], both["until"], both["tensors"], both["batch_norms"]) == ("layers: 2", 8, 4, 0)
    for place, part in enumerate((conv1, both)):
        released, ended = facts[f"freeze/released/{place}"], facts[f"freeze/ended/{place}"]
        assert released == {"step": part["until"], "digest": part["digest"]}
        assert ended["digest"] != part["digest"]


@pytest.mark.parametrize("batch_norm", ["eval", "train"])
def test_what_is_frozen_to_the_end_keeps_its_bits_and_its_statistics(make_run: MakeRun, batch_norm: str) -> None:
    tree = {**IMAGES, "train": {**IMAGES["train"], "freeze": [{"match": "layer1", "batch_norm": batch_norm}]}}
    run = make_run("images", tree=tree)
    before = prepare(run, "cpu").task.build_model().state_dict()
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    after = load_tree(run.checkpoint("weights"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    inside = {name for name in changed if name.startswith("layer1.")}
    if batch_norm == "eval":
        assert not inside
    else:
        kinds = {"running_mean", "running_var", "num_batches_tracked"}
        assert {name.rsplit(".", 1)[-1] for name in inside} == kinds
    assert {"conv1.0.weight", "layer2.0.conv1.weight", "fc.bias"} <= changed
    (part,) = facts_of(run.events())["freeze/parts"]
    assert part["batch_norms"] == (2 if batch_norm == "eval" else 0)
    assert facts_of(run.events())["freeze/ended/0"]["digest"] == part["digest"]


def test_the_layers_of_a_network_of_masks_join_and_really_learn(make_run: MakeRun) -> None:
    # the trap: an optimizer made while they were frozen never sees them
    changes = ["train.freeze=[{layers: -3, until: {iterations: 6}}, {layers: -5, until: {iterations: 10}}]"]
    run = make_run("masks", changes, ["+head_lr(mult=10)"], tree=recipe())
    before = prepare(run, "cpu").task.build_model()
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    after, facts = load_tree(run.checkpoint("weights")), freeze_facts(run)
    parts = facts["freeze/parts"]
    assert [part["until"] for part in parts] == [6, 10]
    assert parts[0]["tensors"] > parts[1]["tensors"] > 20
    for place, part in enumerate(parts):
        assert facts[f"freeze/released/{place}"]["digest"] == part["digest"], "it kept its bits until its moment"
        assert facts[f"freeze/ended/{place}"]["digest"] != part["digest"]
    # normalisations that begin at zero keep what stands before them still for a step; six steps are enough for all
    still = [name for name, weight in before.named_parameters() if torch.equal(weight, after[name])]
    assert not still


def test_a_pattern_that_matches_nothing_ends_the_run_before_it_begins(make_run: MakeRun) -> None:
    run = make_run("nothing", ["train.freeze=[{match: stem}]"])
    with pytest.raises(UserError, match=r"train\.freeze\.0\.match: no module or parameter of HybridSN is named 'stem'"):
        execute(run.path, threads=1, progress=False)
    assert run.metrics() == []
