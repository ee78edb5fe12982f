"""Image classification: data to metrics, on drawn shapes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from tricklab import registry
from tricklab.errors import UserError
from tricklab.recipe import load, resolve, settings
from tricklab.seeds import Seeds
from tricklab.tasks.classification import ClassificationTask
from tricklab.tasks.networks import RUNNING

TINY: dict[str, Any] = {
    "task": "classification",
    "data": {
        "images": {"type": "SyntheticImages", "classes": 3, "per_class": 20, "size": 24},
        "size": 24,
        "split": {"type": "Stratified", "train": 0.7, "val": 0.3},
    },
    "model": {"type": "timm", "name": "resnet10t"},
    "metric": {"monitor": "val/accuracy"},
}


def task_of(*overrides: str, block: int = 0) -> ClassificationTask:
    chosen = settings(resolve(load(TINY, list(overrides))))
    task: ClassificationTask = registry.load("task", "classification")(settings=chosen, seeds=Seeds(0, block))
    task.prepare()
    return task


def test_evaluation_gives_scikit_learns_scores() -> None:
    task = task_of()
    model = task.build_model().eval()
    found = task.evaluate(model, "val")
    assert found.targets.tolist() == task.fold.targets["val"].tolist()
    assert found.values["accuracy"] == pytest.approx(accuracy_score(found.targets, found.predictions))
    balanced = balanced_accuracy_score(found.targets, found.predictions)
    assert found.values["balanced_accuracy"] == pytest.approx(balanced)
    labels = range(3)
    f1 = f1_score(found.targets, found.predictions, average="macro", labels=labels, zero_division=0.0)
    assert found.values["macro_f1"] == pytest.approx(f1)
    assert "top5" not in found.values
    assert found.loss == pytest.approx(torch.nn.functional.nll_loss(
        torch.from_numpy(found.probabilities).log(), torch.from_numpy(found.targets)
    ).item(), rel=1e-4)  # fmt: skip


def test_blocks_redraw_split_and_weights_and_repeat_themselves() -> None:
    one, again, other = task_of(), task_of(), task_of(block=1)
    assert one.digest() == again.digest() != other.digest()
    weights = [next(iter(task.build_model().parameters())) for task in (one, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_training_batch_is_normalised_by_the_training_images_alone() -> None:
    task = task_of()
    everything = task.fold.dataset("train", augment=False).__getitems__(list(range(task.sizes()["train"])))
    channels = everything["image"].double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(channels.mean(dim=1), torch.zeros(3, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(channels.std(dim=1, correction=0), torch.ones(3, dtype=torch.float64), atol=1e-5, rtol=0)
    assert task.facts()["data/statistics_fitted_on"]["other_pixels"] == 0


def test_running_normalisation_is_a_part_of_the_network() -> None:
    plain, running = task_of("data.normalise=none"), task_of("data.normalise=running")
    model = running.build_model()
    own = plain.build_model().state_dict()
    found = model.state_dict()
    assert set(found) - set(own) == {
        f"{RUNNING}.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")
    }
    assert all(torch.equal(found[name], own[name]) for name in own)
    model.train()(torch.full((4, 3, 24, 24), 0.5))
    assert model.get_submodule(RUNNING).running_mean.tolist() == pytest.approx([0.05] * 3)


def test_a_trivial_predictor_says_the_commonest_training_class() -> None:
    task = task_of()
    assert task.trivial("val")["accuracy"] == pytest.approx(1 / 3)
    assert task.trivial("val")["macro_f1"] == pytest.approx(1 / 6)


def test_mixing_depends_on_the_micro_batch_alone() -> None:
    task = task_of("data.batch_augment=[{type: Mixup}]")
    batch = task.fold.dataset("train").__getitems__(list(range(9)))
    first, again, other = (task.augment_batch(dict(batch), 0.0, number) for number in (3, 3, 4))
    assert torch.equal(first["image"], again["image"])
    assert not torch.equal(first["image"], other["image"])
    assert first["soft_target"].sum(dim=1).tolist() == pytest.approx([1.0] * 9)


def test_a_forest_on_all_pixels_is_a_baseline() -> None:
    task = task_of("model={type: PatchForest, trees: 20}")
    model = task.build_model()
    task.fit_classical(model, 0)
    found = task.evaluate_classical(model, "train")
    assert found.loss is None
    assert found.values["accuracy"] > 0.9
    assert task.evaluate_classical(model, "val").confusion.sum() == len(task.fold.targets["val"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("evaluate.method=dense", "evaluate.method: images have no windows"),
        ("train.share_convolutions=true", "train.share_convolutions: images have no windows"),
        ("metric.monitor=val/top5", "metric.monitor: with 3 classes"),
        ("data.size=0", "data.size"),
        ("data.normalise={mean: [125, 120, 110], std: [50, 50, 50]}", "divide numbers for bytes by 255"),
        ("data.normalise={mean: [0.5, 0.5, 0.5]}", "expected mean and std"),
    ],
)
def test_what_cannot_be_is_one_clear_error(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("[", r"\[").replace(".", r"\.")):
        task_of(override)


def test_postprocessing_of_images_averages_views_and_that_of_scenes_is_refused() -> None:
    views = "evaluate.postprocess=[{type: ImageViews, group: dihedral}]"
    task = task_of(views)
    model = task.build_model().eval()
    plain, found = task.evaluate(model, "val"), task.evaluate(model, "val", task.settings.evaluate.postprocess)
    images = task.fold.dataset("val").__getitems__(list(range(task.sizes()["val"])))["image"]
    with torch.inference_mode():
        turned = torch.stack([
            torch.softmax(model(torch.rot90(side, turns, (2, 3)))["main"], 1)
            for side in (images, images.flip(3)) for turns in range(4)
        ])  # fmt: skip
    assert found.probabilities == pytest.approx(turned.mean(0).numpy(), abs=1e-5)
    assert plain.probabilities != pytest.approx(turned.mean(0).numpy(), abs=1e-5)
    with pytest.raises(UserError, match=r"evaluate\.postprocess\.0: FlipRotateTTA acts on scenes.*ImageViews"):
        task_of("evaluate.postprocess=[{type: FlipRotateTTA}]")
    with pytest.raises(UserError, match="quarter turns need square images"):
        task_of(views, "data.size=[24, 32]")


class TwoOutputs(torch.nn.Module):
    """Scores by the mean of a colour; ``aux`` always, ``extra`` in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(3, 3)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        # a weighted mean over columns, which a mirrored image does not share
        columns = torch.linspace(0, 1, images.shape[3])
        main = self.head((images * columns).mean(dim=(2, 3)))
        return {"main": main, "aux": 2 * main, **({"extra": main} if self.training else {})}


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_evaluations_loss_holds_the_terms_that_exist_there(mirrored: bool) -> None:
    losses = "losses=[CrossEntropyLoss, {type: CrossEntropyLoss, on: aux, weight: 0.4}, {type: FocalLoss, on: extra}]"
    task = task_of(losses)
    model = TwoOutputs().eval()
    found = task.evaluate(model, "val", [{"type": "ImageViews", "group": "flip"}] if mirrored else [])
    images = task.fold.dataset("val").__getitems__(list(range(18)))["image"]

    def scores(name: str) -> torch.Tensor:
        views = [images, images.flip(3)] if mirrored else [images]
        return torch.stack([model(view)[name].detach().softmax(dim=1) for view in views]).mean(dim=0).log()

    target = task.fold.targets["val"]
    wanted = sum(
        weight * torch.nn.functional.nll_loss(scores(name), target) for name, weight in (("main", 1.0), ("aux", 0.4))
    )
    assert found.loss == pytest.approx(float(wanted), rel=1e-5)
    assert found.facts["evaluate/loss_terms"] == {
        "scored": ["CrossEntropyLoss.main", "CrossEntropyLoss.aux"],
        "left_out": ["FocalLoss.extra"],
    }


def test_without_a_term_that_exists_outside_training_there_is_no_loss() -> None:
    only = "losses=[{type: CrossEntropyLoss, on: extra}]"
    found = task_of(only).evaluate(TwoOutputs().eval(), "val")
    assert found.loss is None
    assert "loss" not in found.values
    with pytest.raises(UserError, match="no loss exists outside training"):
        task_of(only, "metric={monitor: val/loss, mode: min}").evaluate(TwoOutputs().eval(), "val")
