"""The task of masks: from a recipe to scores."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.tricks.arguments import RECIPES
from tricklab import registry
from tricklab.data.mask_list import IGNORE
from tricklab.errors import UserError
from tricklab.metrics.segmentation import MaskScores, mask_metric_code
from tricklab.recipe import load, resolve, settings
from tricklab.seeds import Seeds
from tricklab.tasks.mask_evaluation import predicted_classes
from tricklab.tasks.segmentation import SegmentationTask, with_ignore


def task_of(block: int = 0, **changes: Any) -> SegmentationTask:
    """A prepared task of drawn masks; changes are overrides with dots written as two underscores."""
    said = [f"{key.replace('__', '.')}={value}" for key, value in changes.items()]
    chosen = settings(resolve(load(copy.deepcopy(RECIPES["segmentation"]), said)))
    found: SegmentationTask = registry.load("task", "segmentation")(settings=chosen, seeds=Seeds(0, block))
    found.prepare()
    return found


class Told(nn.Module):
    """Answers what a table says of images that it knows by their pixels."""

    def __init__(self, task: SegmentationTask, split: str, shift: int = 0) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))
        self.classes = len(task.classes)
        count = task.sizes()[split]
        self.known = [(task.fold.values(split, i)[0], task.fold.truth(split, i)) for i in range(count)]
        self.shift = shift

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        answers = []
        for image in images:
            truth = next(truth for values, truth in self.known if torch.equal(values, image))
            said = (truth.where(truth != IGNORE, 0) + self.shift) % self.classes
            answers.append(10.0 * nn.functional.one_hot(said, self.classes).movedim(-1, 0).float())
        return {"main": torch.stack(answers)}


def test_a_model_that_is_right_scores_one() -> None:
    task = task_of()
    found = task.evaluate(Told(task, "val").eval(), "val")
    assert found.values["miou"] == 1
    assert found.values["miou_per_image"] == 1
    assert found.values["aacc"] == 1
    assert found.confusion.sum() == sum(task.class_counts("val"))
    assert found.values["loss"] < 0.01


def test_a_model_that_is_never_right_scores_nothing() -> None:
    task = task_of()
    found = task.evaluate(Told(task, "val", shift=1).eval(), "val")
    assert found.values["miou"] == 0
    assert np.trace(found.confusion) == 0
    assert found.values["loss"] > 9


def test_an_evaluation_is_what_a_loop_over_images_finds() -> None:
    task = task_of(evaluate__batch_size=3)
    model = task.build_model().eval()
    found = task.evaluate(model, "val")
    scores, losses = MaskScores(len(task.classes)), []
    with torch.inference_mode():
        for index in range(task.sizes()["val"]):
            logits, target = model(task.fold.values("val", index))["main"], task.fold.truth("val", index)
            scores.add(target.numpy(), logits[0].argmax(dim=0).numpy())
            losses.append(float(nn.functional.cross_entropy(logits, target[None], ignore_index=IGNORE)))
    assert {name: found.values[name] for name in scores.values()} == pytest.approx(scores.values(), nan_ok=True)
    assert found.values["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert np.array_equal(found.arrays["hits"], scores.images()["hits"])
    assert found.arrays["loss"] == pytest.approx(losses, rel=1e-5)
    assert found.facts["evaluate/loss_terms"] == {
        "scored": ["CrossEntropyLoss.main"],
        "left_out": ["CrossEntropyLoss.aux"],
    }


class Lost(Told):
    """Right, but that one pixel of the second image has no number."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        found = super().forward(images)
        if torch.equal(images[0], self.known[1][0]):
            found["main"][0, 2, 5, 7] = torch.nan
        return found


def test_an_answer_that_is_no_number_scores_nothing_at_all() -> None:
    task = task_of(evaluate__batch_size=1)
    found = task.evaluate(Lost(task, "val").eval(), "val")
    assert found.unanswered == 1
    assert all(np.isnan(value) for value in found.values.values())
    assert task.evaluate(Told(task, "val").eval(), "val").unanswered == 0


def test_windows_as_large_as_the_image_are_the_image() -> None:
    whole, slid = task_of(), task_of(evaluate__method="slide", evaluate__window="[64, 80]", evaluate__stride="[64, 80]")
    model = whole.build_model().eval()
    first, second = whole.evaluate(model, "val"), slid.evaluate(model, "val", method="slide")
    assert np.array_equal(first.confusion, second.confusion)
    small = task_of(evaluate__method="slide", evaluate__window="[32, 32]", evaluate__stride="[16, 16]")
    assert not np.array_equal(first.confusion, small.evaluate(model, "val", method="slide").confusion)


def test_resized_images_are_scored_at_the_size_of_their_files() -> None:
    task = task_of(data__resize="[24, 32]", data__crop="null")
    found = task.evaluate(task.build_model().eval(), "val")
    assert found.confusion.sum() == sum(task.class_counts("val"))


def test_auxiliary_outputs_train_and_are_not_evaluated() -> None:
    task = task_of()
    model = task.build_model()
    batch = next(iter(task.loader("train")))
    total, terms = task.loss(task.forward(model, batch), batch)
    assert set(terms) == {"CrossEntropyLoss.main", "CrossEntropyLoss.aux"}
    total.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    assert list(task.forward(model.eval(), batch)) == ["main"]


def test_unlabelled_pixels_train_nothing() -> None:
    task = task_of()
    logits = torch.randn(1, 4, 8, 8, requires_grad=True)
    target = torch.randint(0, 4, (1, 8, 8))
    target[0, :4] = IGNORE
    total, _ = task.loss({"main": logits, "aux": logits}, {"target": target})
    (gradient,) = torch.autograd.grad(total, logits)
    assert (gradient[0, :, :4] == 0).all()
    assert (gradient[0, :, 4:] != 0).all()


def test_255_is_ignored_where_a_loss_says_nothing() -> None:
    given = [{"type": "A", "ignore_index": None}, {"type": "B", "ignore_index": 3}, {"type": "C"}]
    assert with_ignore(given, classes=4) == [
        {"type": "A", "ignore_index": IGNORE},
        {"type": "B", "ignore_index": 3},
        {"type": "C"},
    ]


@pytest.mark.parametrize("said", [4, 254, -5])
def test_an_ignored_target_that_no_pixel_has_is_refused(said: int) -> None:
    with pytest.raises(
        UserError, match=rf"losses\.0\.ignore_index: no pixel has the target {said}: the classes are 0 to 3"
    ):
        task_of(losses=f"[{{type: CrossEntropyLoss, on: main, ignore_index: {said}}}]", model__auxiliary_head="null")


def test_postprocessing_is_checked_before_any_training() -> None:
    with pytest.raises(UserError, match=r"scales must be positive, not \[0\.0\]"):
        task_of(evaluate__postprocess="[{type: MaskViews, scales: [0.0]}]")


def test_the_same_block_gives_the_same_first_weights_with_and_without_an_auxiliary_head() -> None:
    one = task_of().build_model().state_dict()
    other = (
        task_of(model__auxiliary_head="null", losses="[{type: CrossEntropyLoss, on: main}]").build_model().state_dict()
    )
    assert all(torch.equal(one[name], weight) for name, weight in other.items())
    assert len(one) > len(other)


def test_one_channel_is_two_classes() -> None:
    logits = torch.tensor([[[[-2.0, 3.0]]]])
    assert predicted_classes(logits).tolist() == [[[0, 1]]]
    assert predicted_classes(torch.cat([torch.zeros_like(logits), logits], dim=1)).tolist() == [[[0, 1]]]


def test_always_the_commonest_class_is_scored_by_the_same_arithmetic() -> None:
    task = task_of()
    said = int(np.argmax(task.class_counts("train")))
    scores = MaskScores(len(task.classes))
    for index in range(task.sizes()["val"]):
        target = task.fold.truth("val", index).numpy()
        scores.add(target, np.full(target.shape, said))
    found, values = task.trivial("val"), scores.values()
    assert {name: found[name] for name in ("miou", "aacc", "miou_per_image")} == pytest.approx(
        {name: values[name] for name in ("miou", "aacc", "miou_per_image")}
    )


def test_masks_have_their_own_metric_code() -> None:
    assert task_of().metric_code() == mask_metric_code()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"evaluate__method": "dense"}, r"evaluate\.method"),
        ({"train__share_convolutions": "true"}, r"train\.share_convolutions"),
        ({"evaluate__window": "[8, 8]"}, r"evaluate\.window.*for the method slide, not for whole"),
        ({"evaluate__method": "slide"}, r"evaluate\.window.*needs two numbers"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError, match=where):
        task_of(**changes)


def test_models_without_masks_are_refused() -> None:
    with pytest.raises(UserError, match="PixelSVM"):
        task_of(model="{type: PixelSVM}").build_model()


def test_the_tolerance_of_outlines_is_asked_for_and_recorded() -> None:
    near, far = task_of(), task_of(evaluate__boundary_tolerance="20")
    model = near.build_model().eval()
    one, other = near.evaluate(model, "val"), far.evaluate(model, "val")
    scores = MaskScores(len(far.classes), tolerance=20)
    scores.extend(other.confusion, other.arrays)
    assert other.values["boundary_f"] == scores.values()["boundary_f"] > one.values["boundary_f"]
    assert one.values["miou"] == other.values["miou"]
    assert (one.scoring["boundary_tolerance"], other.scoring["boundary_tolerance"]) == (0.0075, 20)
    assert far.metric_code() == mask_metric_code()
    outlines = task_of(evaluate__boundary_tolerance="20", metric__monitor="val/boundary_f")
    assert outlines.metric_code() != mask_metric_code()


def test_outlines_are_for_masks() -> None:
    chosen = settings(resolve(load(copy.deepcopy(RECIPES["classification"]), ["evaluate.boundary_tolerance=3"])))
    with pytest.raises(UserError, match=r"evaluate\.boundary_tolerance"):
        registry.load("task", "classification")(settings=chosen, seeds=Seeds(0, 0)).prepare()


def test_what_is_left_out_is_counted() -> None:
    task = task_of()
    found = task.evaluate(Told(task, "val", shift=1).eval(), "val").scoring
    assert (found["images"], found["images_without_labels"]) == (task.sizes()["val"], 0)
    assert set(found["classes_left_out"]) == {"absent", "no_truth", "never_predicted"}


def test_a_loss_that_is_no_number_is_not_averaged_away() -> None:
    task = task_of()

    class Broken(Told):
        """Breaks on one image."""

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            found = super().forward(images)["main"]
            self.asked = getattr(self, "asked", 0) + len(images)
            return {"main": found * torch.nan if self.asked > 1 else found}

    assert np.isfinite(task.evaluate(Told(task, "val").eval(), "val").values["loss"])
    assert np.isnan(task.evaluate(Broken(task, "val").eval(), "val").values["loss"])


def test_what_normalisation_makes_of_the_training_images_is_a_fact() -> None:
    task = task_of(data__normalise="half")
    shown = task.facts()["data/normalised"]
    values = torch.cat([task.fold.values("train", n)[0].flatten(1) for n in range(task.sizes()["train"])], dim=1)
    assert shown["mean"] == pytest.approx(values.mean(dim=1).tolist(), abs=1e-4)
    assert shown["std"] == pytest.approx(values.std(dim=1).tolist(), abs=1e-3)
    assert "data/normalised" not in task_of().facts()
