from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.metrics import average_accuracy, kappa
from tricklab.ops.windows import gather_windows
from tricklab.recipe import load, resolve, settings
from tricklab.seeds import Seeds
from tricklab.tasks.hyperspectral import HyperspectralTask


def task_of(*overrides: str, block: int = 0, **sections: Any) -> HyperspectralTask:
    tree = {
        "task": "hyperspectral",
        "data": {
            "scene": {"type": "SyntheticScene", "height": 28, "width": 24, "bands": 20, "classes": 4},
            "pca": 13,
            "window": 9,
            "split": {"type": "RandomPixels", "train": 0.2, "val": 0.2},
        },
        "model": {"type": "HybridSN"},
        **sections,
    }
    made = HyperspectralTask(settings=settings(resolve(load(tree, list(overrides)))), seeds=Seeds(0, block))
    made.prepare()
    return made


def trained_like(task: HyperspectralTask) -> nn.Module:
    """A network with large, varied weights, so that its logits differ from pixel to pixel."""
    model = task.build_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.6)
    return model.eval()


def test_values_follow_from_the_pixels() -> None:
    task = task_of()
    found = task.evaluate(trained_like(task), "val")
    targets = task.fold.targets["val"].numpy()
    assert np.array_equal(found.targets, targets)
    assert found.values["oa"] == (found.predictions == targets).mean()
    assert found.values["aa"] == average_accuracy(found.confusion)
    assert found.values["kappa"] == kappa(found.confusion)
    chosen = found.probabilities[np.arange(len(targets)), targets]
    assert found.loss == pytest.approx(-np.log(chosen).mean(), rel=1e-5)
    assert np.array_equal(found.probabilities.argmax(axis=1), found.predictions)
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(len(targets)), rel=1e-5)


@pytest.mark.parametrize("inserts", ["[]", "[{type: SE, after: conv2d, reduction: 4}]"])
def test_dense_gives_what_windows_give(inserts: str) -> None:
    task = task_of(f"model.insert={inserts}")
    model = trained_like(task)
    windows, dense = (task.evaluate(model, "test", method=method) for method in ("windows", "dense"))
    assert np.abs(windows.probabilities - dense.probabilities).max() < 1e-5
    assert dense.facts["evaluate/dense_difference"] < 1e-4
    assert "evaluate/dense_difference" not in windows.facts


def test_dense_that_is_not_exact_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of()
    model = trained_like(task)
    head = type(model).window_linear

    def wrong(self: Any) -> Any:
        found = head(self)
        return type(found)(found.weight_OCss * 1.01, found.bias_O, found.gates, found.finish)

    monkeypatch.setattr(type(model), "window_linear", wrong)
    with pytest.raises(UserError, match=r"evaluate.method: dense inference differs.*evaluate.method=windows"):
        task.evaluate(model, "test", method="dense")


def test_test_time_augmentation_averages_the_views() -> None:
    task = task_of()
    model = trained_like(task)
    found = task.evaluate(model, "val", postprocess=[{"type": "FlipRotateTTA", "group": "flips"}])
    windows = gather_windows(task.fold.cube_for("val"), task.fold.centres["val"], 9)
    with torch.no_grad():
        views = [windows, windows.flip(2), windows.flip(3), windows.flip(2, 3)]
        mean = torch.stack([torch.softmax(model(view)["main"], dim=1) for view in views]).mean(dim=0)
    assert np.abs(found.probabilities - mean.numpy()).max() < 1e-5
    plain = task.evaluate(model, "val")
    assert np.abs(found.probabilities - plain.probabilities).max() > 1e-3


def test_shared_convolutions_give_the_gradients_of_the_same_windows() -> None:
    grads = []
    for share in ("false", "true"):
        task = task_of(f"train.share_convolutions={share}", "train.batch_size=40")
        model = task.build_model().train()
        batch = next(iter(task.loader("train")))
        torch.manual_seed(7)
        total, terms = task.loss(task.forward(model, batch), batch)
        total.backward()
        assert terms.keys() == {"CrossEntropyLoss.main"}
        grads.append((batch["index"], {name: p.grad for name, p in model.named_parameters()}))
    assert torch.equal(grads[0][0], grads[1][0])
    for name, gradient in grads[0][1].items():
        assert torch.allclose(gradient, grads[1][1][name], atol=1e-5, rtol=1e-3), name


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("data.augment=[{type: FlipWindows}]", "cannot be augmented"),
        ("train.workers=2", r"train\.workers does nothing"),
        ("model.insert=[{type: SE, after: conv1, reduction: 4}]", "conv1"),
        ("train.compile=true", r"train\.compile does nothing"),
    ],
)
def test_shared_convolutions_refuse_what_they_cannot_do(asked: str, text: str) -> None:
    task = task_of("train.share_convolutions=true", asked)
    with pytest.raises(UserError, match=text):
        task.build_model()


def test_expected_initial_loss_counts_weights_and_terms() -> None:
    assert task_of().expected_initial_loss() == pytest.approx(math.log(4))
    losses = [{"type": "CrossEntropyLoss", "weight": 3.0}, {"type": "CrossEntropyLoss", "weight": 0.5}]
    assert task_of(losses=losses).expected_initial_loss() == pytest.approx(3.5 * math.log(4))


def test_trivial_predictor_says_the_training_sets_commonest_class() -> None:
    task = task_of()
    commonest = int(np.argmax(task.class_counts("train")))
    found = task.trivial("test")
    assert found["oa"] == (task.fold.targets["test"].numpy() == commonest).mean()
    assert found["aa"] == pytest.approx(1 / 4)
    assert found["kappa"] == 0


def test_facts_of_weights_and_smoothing() -> None:
    facts = task_of("losses.0.class_weight=balanced", "losses.0.label_smoothing=0.1").facts()
    weights = facts["loss/class_weights"]["CrossEntropyLoss.main"]
    counts = np.array(facts["data/class_counts"]["train"])
    assert weights == pytest.approx(counts.sum() / (4 * counts))
    assert facts["loss/perfect"]["CrossEntropyLoss.main"] > 0.5
    balanced = task_of("data.sampler={type: ClassBalanced}").facts()
    assert max(balanced["data/epoch_class_counts"]) - min(balanced["data/epoch_class_counts"]) <= 1


def test_an_empty_split_is_refused() -> None:
    task = task_of("data.split={type: RandomPixels, train: 0.2, val: 0.0}")
    with pytest.raises(UserError, match="the val set is empty"):
        task.evaluate(trained_like(task), "val")


@pytest.mark.parametrize("bands", ["in_channels", "bands"])
def test_a_network_of_images_sees_bands_as_channels(bands: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\n"
        f"def small(num_classes, {bands}, window):\n"
        f"    return nn.Sequential(nn.Flatten(), nn.Linear({bands} * window**2, num_classes))\n"
    )
    task = task_of(model={"type": "module", "target": f"{tmp_path}/net.py:small"})
    model = task.build_model().eval()
    assert model[1].in_features == 13 * 9**2
    found = task.evaluate(model, "val")
    assert found.values["oa"] == (found.predictions == found.targets).mean()
