"""Teachers: what they see, whom they may teach, what they leave behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.tasks.teachers import TINY, declared, taught_by
from tricklab import registry
from tricklab.data.image_normalisation import FIXED, Normalisation
from tricklab.engine import execute, load_run
from tricklab.errors import UserError
from tricklab.recipe import load, resolve, settings
from tricklab.records import RunFolder, load_tree, save_tree
from tricklab.seeds import Seeds
from tricklab.tasks.classification import ClassificationTask
from tricklab.tasks.teacher import Student, Teacher, renormalised
from tricklab.tasks.teaching import hashes_of

HALF = Normalisation("half", *FIXED["half"])
IMAGENET = Normalisation("imagenet", *FIXED["imagenet"])


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an arm with one finished run, of block 0."""
    folder = tmp_path_factory.mktemp("teacher") / "arm"
    declared(folder / "0", "evaluate.averaging={type: Ema, decay: 0.5}", "train.epochs=1")
    assert execute(folder / "0", threads=1, device="cpu", progress=False)["state"] == "finished"
    return folder


def student(**keys: Any) -> Student:
    classes = ("disc", "square", "triangle")
    return Student(**{"classes": classes, "size": (24, 24), "normalisation": HALF, "interpolation": "bilinear",
                      "block": 0, **keys})  # fmt: skip


def task_of(*overrides: str, block: int = 0, **sections: Any) -> ClassificationTask:
    chosen = settings(resolve(load({**TINY, **sections}, list(overrides))))
    task: ClassificationTask = registry.load("task", "classification")(settings=chosen, seeds=Seeds(0, block))
    task.prepare()
    return task


def teacher_of(arm: Path, **keys: Any) -> Teacher:
    found: Teacher = registry.build("teacher", {"type": "FinishedRun", "folder": str(arm)}, student=student(**keys))
    return found


@pytest.mark.parametrize("after", [IMAGENET, Normalisation("none"), Normalisation("minmax")])
def test_images_are_renormalised_as_if_they_had_been_so_from_the_start(after: Normalisation) -> None:
    images = torch.randint(256, (5, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = renormalised(HALF(images), HALF, after)
    torch.testing.assert_close(found, after(images), rtol=0, atol=2e-6)
    if after.name != "minmax":
        mixed = 0.3 * HALF(images) + 0.7 * HALF(images).flip(0)
        wanted = 0.3 * after(images) + 0.7 * after(images).flip(0)
        torch.testing.assert_close(renormalised(mixed, HALF, after), wanted, rtol=0, atol=4e-6)


def test_it_says_of_the_students_images_what_the_run_says_of_its_own(arm: Path) -> None:
    run = load_run(arm / "0", device="cpu")
    own = run.task.fold.dataset("val").__getitems__(list(range(15)))["image"]
    with torch.no_grad():
        wanted = run.model(own)["main"]
    task = task_of("data.normalise=half")
    asked = task.fold.dataset("val").__getitems__(list(range(15)))["image"]
    assert not torch.allclose(own, asked, atol=0.1)
    found = teacher_of(arm)(asked)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_classes_are_matched_by_name(arm: Path) -> None:
    images = torch.randn(4, 3, 24, 24)
    plain, turned = teacher_of(arm), teacher_of(arm, classes=("triangle", "disc", "square"))
    assert plain.order is None
    assert torch.equal(turned(images), plain(images)[:, [2, 0, 1]])
    with pytest.raises(UserError, match="other classes: it does not know 'ring' and it knows 'triangle'"):
        teacher_of(arm, classes=("disc", "square", "ring"))


def test_images_of_another_size_are_resized_to_its_own(arm: Path) -> None:
    sizes = []
    teacher = teacher_of(arm, size=(40, 30))
    teacher.model.register_forward_pre_hook(lambda module, given: sizes.append(tuple(given[0].shape)))
    assert teacher(torch.randn(2, 3, 40, 30)).shape == (2, 3)
    assert sizes == [(2, 3, 24, 24)]


def test_it_learns_nothing_and_stays_as_it_is(arm: Path) -> None:
    teacher = teacher_of(arm)
    before = {name: tensor.clone() for name, tensor in teacher.model.state_dict().items()}
    images = torch.randn(8, 3, 24, 24, requires_grad=True)
    found = teacher(images)
    assert not found.requires_grad
    assert not any(module.training for module in teacher.model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.model.state_dict().items())


def test_the_averaged_weights_teach_where_they_are_what_the_run_was_scored_with(arm: Path, tmp_path: Path) -> None:
    declared(tmp_path / "average", "evaluate={averaging: {type: Ema, decay: 0.5}, weights: average}", "train.epochs=1")
    execute(tmp_path / "average", threads=1, device="cpu", progress=False)
    last, average = teacher_of(arm), teacher_of(tmp_path / "average")
    assert last.digest != average.digest
    loaded = load_run(tmp_path / "average", device="cpu").model.state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in average.model.state_dict().items())


def test_a_teacher_that_saw_held_out_images_is_refused_item_by_item(arm: Path) -> None:
    losses = taught_by({"type": "FinishedRun", "folder": str(arm / "0")})
    task = task_of(losses=losses)
    assert list(task.sources()) == ["teacher of DistillationLoss.main"]
    other = task_of(block=1, losses=losses)
    seen = {bytes(row) for row in hashes_of(task.fold, "train").numpy()}
    both = sum(bytes(row) in seen for row in hashes_of(other.fold, "val").numpy())
    assert 0 < both < 15
    with pytest.raises(UserError, match=rf"was trained on {both} of the 15 val images, the first: \w+/\d+"):
        other.sources()


def test_one_shared_image_is_enough_and_other_names_do_not_hide_it(arm: Path) -> None:
    teacher = teacher_of(arm)
    task = task_of()
    assert teacher.seen is not None
    assert len(teacher.seen) == 30
    task.fold.members["test"] = task.fold.members["test"][:3]
    task.fold.members["test"][1] = task.fold.members["train"][7]
    task.teaching.configs = {"teacher": {"type": "FinishedRun", "folder": str(arm)}}
    with pytest.raises(UserError, match="was trained on 1 of the 3 test images, the first: "):
        _ = task.teaching.teachers


def test_what_a_teacher_saw_its_student_has_seen(arm: Path) -> None:
    task = task_of(losses=taught_by({"type": "FinishedRun", "folder": str(arm)}))
    own = {bytes(row) for row in task.fitted["seen_images"].numpy()}
    assert own == {bytes(row) for row in hashes_of(task.fold, "train").numpy()}
    (teacher,) = task.teaching.teachers.values()
    teacher.seen = torch.zeros(1, 16, dtype=torch.uint8)
    assert {bytes(row) for row in task.fitted["seen_images"].numpy()} == own | {bytes(16)}


def test_an_arm_teaches_with_the_run_of_the_same_block(arm: Path) -> None:
    assert teacher_of(arm).name == str(arm / "0")
    with pytest.raises(UserError, match="this arm has runs of block 0, the student is of block 3"):
        teacher_of(arm, block=3)


def test_a_run_that_cannot_teach_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this is not a run folder"):
        teacher_of(tmp_path)
    declared(tmp_path / "planned")
    with pytest.raises(UserError, match="this run is planned, so it has no trained network"):
        teacher_of(tmp_path / "planned")
    declared(tmp_path / "forest", "model={type: PatchForest, trees: 2}")
    execute(tmp_path / "forest", threads=1, progress=False)
    with pytest.raises(UserError, match="PatchForest keeps no weights"):
        teacher_of(tmp_path / "forest")


def test_stretched_images_cannot_be_turned_back(arm: Path) -> None:
    with pytest.raises(UserError, match="stretched to \\[0, 1\\] and cannot be turned back"):
        teacher_of(arm, normalisation=Normalisation("minmax"))


def test_damaged_weights_are_named(arm: Path, tmp_path: Path) -> None:
    run = declared(tmp_path / "damaged", "train.epochs=1")
    for name in ("fitted", "weights"):
        save_tree(run.checkpoint(name), load_tree(RunFolder.open(arm / "0").checkpoint(name)))
    run.set_status("finished")
    assert torch.equal(
        teacher_of(tmp_path / "damaged")(torch.ones(1, 3, 24, 24)), teacher_of(arm)(torch.ones(1, 3, 24, 24))
    )
    weights = load_tree(run.checkpoint("weights"))
    weights.pop("fc.bias")
    save_tree(run.checkpoint("weights"), weights)
    with pytest.raises(UserError, match=r"1 keys missing \(first: \['fc\.bias'\]\)"):
        teacher_of(tmp_path / "damaged")


def network(file: Path, **keys: Any) -> Teacher:
    model = {"type": "timm", "name": "test_resnet", "weights": str(file)}
    found: Teacher = registry.build("teacher", {"type": "Network", "model": model, **keys}, student=student())
    return found


def test_weights_without_a_run_teach_with_the_normalisation_they_are_said_to_have(tmp_path: Path) -> None:
    import timm

    source = timm.create_model("test_resnet", num_classes=3).eval()
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    images = torch.randint(256, (4, 3, 24, 24), dtype=torch.uint8)
    for kind, wanted in (("model", HALF), ("imagenet", IMAGENET), ("none", Normalisation("none"))):
        teacher = network(tmp_path / "w.safetensors", normalise=kind)
        torch.testing.assert_close(teacher(HALF(images)), source(wanted(images)), rtol=1e-4, atol=1e-4)
    assert teacher.facts()["images_known"] is False
    assert network(tmp_path / "w.safetensors", size=48).size == (48, 48)
    before = teacher.digest
    with torch.no_grad():
        source.fc.bias += 1e-3
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    assert network(tmp_path / "w.safetensors", normalise="none").digest != before


def test_a_network_without_a_trained_classifier_teaches_nothing(tmp_path: Path) -> None:
    import timm

    save_file(timm.create_model("test_resnet", num_classes=7).state_dict(), tmp_path / "seven.safetensors")
    with pytest.raises(UserError, match=r"gives no weights for fc\.bias: its classifier is not one of 3 classes"):
        network(tmp_path / "seven.safetensors")
    bare = {"type": "Network", "model": {"type": "timm", "name": "test_resnet"}}
    with pytest.raises(UserError, match="a teacher must be trained, and this network has no weights"):
        registry.build("teacher", bare, student=student())


def test_the_recipe_holds_where_a_teacher_lies_whatever_the_folder_it_is_read_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = resolve(load({**TINY, "losses": taught_by({"type": "FinishedRun", "folder": "runs/teacher"})}))
    assert recipe.get("losses.1.teacher.folder") == str(tmp_path / "runs" / "teacher")


def test_a_task_without_images_has_no_teachers() -> None:
    losses = taught_by({"type": "FinishedRun", "folder": "runs/teacher"})
    scene = {"type": "SyntheticScene", "height": 48, "width": 48, "bands": 24, "classes": 4}
    recipe = {"task": "hyperspectral", "data": {"scene": scene, "window": 11, "pca": 13}, "model": "HybridSN"}
    chosen = settings(resolve(load({**recipe, "losses": losses})))
    task = registry.load("task", "hyperspectral")(settings=chosen, seeds=Seeds(0, 0))
    with pytest.raises(UserError, match="in the task hyperspectral nobody can be asked for scores"):
        task.prepare()
