"""Training with a teacher: what is recorded, what is resumed, what is refused."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import comparable
from tests.tasks.teachers import declared, taught_by
from tricklab.engine import execute, load_run
from tricklab.errors import UserError
from tricklab.records import RunFolder, facts_of, load_tree, save_tree

MIXED = ["data.batch_augment=[{type: MixupOrCutMix}]", "train.batch_size=7"]


def run(folder: Path, **options: Any) -> dict[str, Any]:
    return execute(folder, threads=1, device="cpu", progress=False, **options)


def stop_at(step: int) -> Any:
    def observe(row: dict[str, Any]) -> None:
        if row["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return observe


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    declared(folder)
    assert run(folder)["state"] == "finished"
    return folder


@pytest.fixture
def taught(tmp_path: Path, teacher: Path) -> list[dict[str, Any]]:
    """Losses that learn from a copy of the teacher, ``tmp_path/teacher``."""
    shutil.copytree(teacher, tmp_path / "teacher")
    return taught_by({"type": "FinishedRun", "folder": str(tmp_path / "teacher")}, temperature=2.0)


@pytest.mark.slow
def test_a_student_learns_from_mixed_odd_batches_and_is_itself_again_after_a_stop(
    tmp_path: Path, taught: list[dict[str, Any]]
) -> None:
    whole = declared(tmp_path / "whole", *MIXED, losses=taught)
    assert run(whole.path)["state"] == "finished"
    parts = declared(tmp_path / "parts", *MIXED, losses=taught)
    assert run(parts.path, observers=[stop_at(4)])["state"] == "interrupted"
    kept = load_tree(parts.checkpoint("resume"))["state_dict"]
    student = load_tree(whole.checkpoint("weights"))
    assert {name.removeprefix("model.") for name in kept} == set(student)
    assert run(parts.path)["state"] == "finished"
    again = load_tree(parts.checkpoint("weights"))
    assert all(torch.equal(student[name], again[name]) for name in student)
    assert comparable(whole.metrics()) == comparable(parts.metrics())
    rows = [row for row in whole.metrics() if row["phase"] == "train"]
    assert all(row["loss/DistillationLoss.main"] > 0 for row in rows)
    assert all(
        row["loss"] == pytest.approx(row["loss/CrossEntropyLoss.main"] + row["loss/DistillationLoss.main"], rel=1e-5)
        for row in rows
    )
    facts = facts_of(whole.events())
    (about,) = facts["teachers"].values()
    assert about["digest"] == whole.provenance()["execution"]["sources"]["teacher of DistillationLoss.main"]
    assert facts["evaluate/loss_terms"]["left_out"] == ["DistillationLoss.main"]


@pytest.mark.slow
def test_a_training_does_not_go_on_with_another_teacher(tmp_path: Path, taught: list[dict[str, Any]]) -> None:
    student = declared(tmp_path / "student", losses=taught)
    assert run(student.path, observers=[stop_at(3)])["state"] == "interrupted"
    file = RunFolder.open(tmp_path / "teacher").checkpoint("weights")
    weights = load_tree(file)
    weights["fc.bias"][0] += 1e-3
    save_tree(file, weights)
    with pytest.raises(UserError, match=r"the training began with another teacher of DistillationLoss\.main"):
        run(student.path)
    other = declared(tmp_path / "other", losses=taught)
    weights["fc.bias"][0] -= 1e-3
    save_tree(file, weights)
    assert run(student.path)["state"] == "finished"
    weights["fc.bias"][0] += 1e-3
    save_tree(file, weights)
    assert run(other.path)["state"] == "finished"
    assert student.result()["fit_identity"] != other.result()["fit_identity"]
    assert student.result()["data_digest"] == other.result()["data_digest"]


def test_a_finished_student_is_tested_without_its_teacher(tmp_path: Path, taught: list[dict[str, Any]]) -> None:
    student = declared(tmp_path / "student", losses=taught)
    assert run(student.path)["state"] == "finished"
    shutil.rmtree(tmp_path / "teacher")
    found = load_run(student.path, device="cpu").evaluate("val")
    assert found.values == {name.removeprefix("val/"): value for name, value in student.result()["values"].items()}


@pytest.mark.slow
def test_a_second_head_learns_the_teachers_decisions_and_both_are_evaluated(
    tmp_path: Path, taught: list[dict[str, Any]]
) -> None:
    losses = [taught[0], {**taught[1], "mode": "hard", "temperature": 1.0, "on": "distillation"}]
    student = declared(tmp_path / "student", "model.distillation=true", *MIXED, losses=losses)
    assert run(student.path)["state"] == "finished"
    weights = load_tree(student.checkpoint("weights"))
    assert "fc.distillation.weight" in weights
    loaded = load_run(student.path, device="cpu")
    images = loaded.task.fold.dataset("val").__getitems__([0, 1, 2])["image"]
    model = loaded.model
    with torch.no_grad():
        features = model.forward_head(model.forward_features(images), pre_logits=True)
        first = torch.nn.functional.linear(features, weights["fc.weight"], weights["fc.bias"])
        second = torch.nn.functional.linear(
            features, weights["fc.distillation.weight"], weights["fc.distillation.bias"]
        )
        torch.testing.assert_close(model(images)["main"], (first + second) / 2)


def test_a_teacher_from_another_block_ends_the_run_before_it_begins(
    tmp_path: Path, taught: list[dict[str, Any]]
) -> None:
    student = declared(tmp_path / "student", losses=taught, block=2)
    with pytest.raises(UserError, match="was trained on"):
        run(student.path)
    assert student.status()["state"] == "refused"
    assert student.metrics() == []


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path, taught: list[dict[str, Any]]) -> None:
    exact = ["train.precision=64-true", "optimizer={type: SGD, lr: 0.02}", "train.device=cpu"]
    alone = declared(tmp_path / "one", *exact, losses=taught)
    both = declared(tmp_path / "two", *exact, "train.devices=2", losses=taught)
    for student in (alone, both):
        assert execute(student.path, threads=1, progress=False)["state"] == "finished"
    mine, its = (load_tree(student.checkpoint("weights")) for student in (alone, both))
    assert max(float((mine[name].double() - its[name].double()).abs().max()) for name in mine) < 1e-6
    rows = [[row for row in student.metrics() if row["phase"] == "train"] for student in (alone, both)]
    for key in ("loss/DistillationLoss.main", "observe/distill/agreement"):
        found = [[row[key] for row in each] for each in rows]
        assert found[0] == pytest.approx(found[1], rel=1e-5)


@pytest.mark.slow
def test_an_ensemble_teaches_with_the_mean_of_its_members(tmp_path: Path) -> None:
    averaging = "evaluate={averaging: {type: Snapshots, cycles: 2, start: 0.0, shape: cosine}, weights: average}"
    folder = tmp_path / "ensemble"
    declared(folder, averaging)
    assert run(folder)["state"] == "finished"
    student = declared(tmp_path / "student", losses=taught_by({"type": "FinishedRun", "folder": str(folder)}))
    assert run(student.path)["state"] == "finished"
    (about,) = facts_of(student.events())["teachers"].values()
    single = sum(tensor.numel() for name, tensor in load_run(student.path).model.named_parameters())
    assert about["parameters"] == 2 * single
