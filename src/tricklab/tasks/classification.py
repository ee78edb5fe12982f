"""Image classification: one class for each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from tricklab import registry
from tricklab import seeds as streams
from tricklab.data.image_fold import ImageFold
from tricklab.data.loaders import make_loader
from tricklab.errors import UserError
from tricklab.metrics import average_accuracy, confusion_matrix, overall_accuracy
from tricklab.metrics.classes import expected_calibration_error, macro_f1, top_k_accuracy
from tricklab.recipe.schema import Settings
from tricklab.registry import component
from tricklab.seeds import Seeds
from tricklab.tasks.base import Evaluation
from tricklab.tasks.one_label import OneLabelTask

TOP = 5
RUNNING = "input_normalisation"


@component("task", name="classification", given=("settings", "seeds"))
class ClassificationTask(OneLabelTask):
    """Classify whole images.

    Args:
        settings: the resolved recipe.
        seeds: the block's streams.
    """

    fold: ImageFold
    metrics = ("accuracy", "balanced_accuracy", "macro_f1", "top5", "ece", "loss")

    def __init__(self, *, settings: Settings, seeds: Seeds) -> None:
        super().__init__(settings=settings, seeds=seeds)
        self.mixers: list[Any] = []

    def prepare(self) -> None:
        """Read the images, draw the split, fit the normalisation, build the losses.

        Raises:
            UserError: the data or the options cannot work.
        """
        chosen = self.settings
        if chosen.evaluate.method != "windows":
            raise UserError("images have no windows to run densely", where="evaluate.method", fix="leave it out")
        if chosen.train.share_convolutions:
            raise UserError("images have no windows that share convolutions", where="train.share_convolutions")
        super().prepare()
        if chosen.metric.monitor.endswith("/top5") and len(self.classes) <= TOP:
            raise UserError(
                f"with {len(self.classes)} classes the right one is always among the first {TOP}",
                where="metric.monitor",
                fix="val/accuracy or val/macro_f1",
            )
        self.mixers = [
            registry.build("batch_transform", item, classes=len(self.classes))
            for item in chosen.data.get("batch_augment") or []
        ]

    def build_model(self) -> Any:
        """A fresh model with the recipe's inserted blocks; the same block gives the same initial weights."""
        height, width = self.fold.store.size
        # models of windows see an image as one window of three bands
        square = {"bands": 3, "window": height} if height == width else {}
        model = self.build_with_inserts(channels=3, size=(height, width), **square)
        if self.fold.normalisation.name == "running":
            if not isinstance(model, nn.Module):
                raise UserError("this model has no training to run along with", where="data.normalise")
            with streams.aside(RUNNING):
                model.add_module(RUNNING, nn.BatchNorm2d(3, affine=False))
            model.register_forward_pre_hook(_normalise_input)
        return model

    def loader(self, split: str) -> Any:
        """Batches of a split; those of ``train`` are drawn by the recipe's sampler and augmented."""
        train = split == "train"
        size = self.settings.train.batch_size if train else self.settings.evaluate.batch_size
        workers = self.settings.train.workers if train or self.fold.store.cache == "none" else 0
        return make_loader(self.fold, split, size, self.seeds, workers, train=train)

    def augment_batch(self, batch: dict[str, Any], epoch: float, micro_batch: int) -> dict[str, Any]:
        """Mix the images of a training batch; what is drawn depends on the micro-batch's number alone."""
        for place, mixer in enumerate(self.mixers):
            batch = mixer(batch, self.seeds.numpy("mix", place, micro_batch), epoch)
        return batch

    def forward(self, model: Any, batch: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """A batch through the model: named outputs."""
        found: dict[str, torch.Tensor] = model(batch["image"])
        return found

    def evaluate(
        self, model: nn.Module, split: str, postprocess: Sequence[Mapping[str, Any]] = (), method: str = "windows"
    ) -> Evaluation:
        """Score a model, which must be in evaluation mode, on every image of a split.

        Args:
            split: train (without augmentation), val or test.
            postprocess: components of kind postprocess that act on images.
            method: for scenes; ``windows``.

        Raises:
            UserError: the split is empty.
        """
        self.require(split)
        steps = [registry.build("postprocess", item) for item in postprocess]
        device = next(model.parameters()).device
        size = self.settings.evaluate.batch_size
        found = []
        with torch.inference_mode():
            for batch in make_loader(self.fold, split, size, self.seeds, 0, train=False):
                found.append(self._logits(model, batch["image"].to(device), steps).float().cpu())
        logits = torch.cat(found)
        total, _ = self.losses({"main": logits, **self._also(logits)}, {"target": self.fold.targets[split]})
        probabilities = torch.softmax(logits, dim=1).numpy()
        return self.score(split, probabilities, logits.argmax(dim=1).numpy(), float(total), {})

    def fit_classical(self, model: Any, seed: int) -> None:
        """Fit a model without gradients on the training images, unaugmented."""
        model.fit(self._values("train"), self.fold.targets["train"].numpy(), seed)

    def evaluate_classical(self, model: Any, split: str) -> Evaluation:
        """Score a fitted model without gradients; it has neither probabilities nor a loss."""
        self.require(split)
        predictions = model.predict_scores(self._values(split)).argmax(axis=1)
        return self.score(split, None, predictions, None, {})

    def score(
        self,
        split: str,
        probabilities: np.ndarray | None,
        predictions: np.ndarray,
        loss: float | None,
        facts: dict[str, Any],
    ) -> Evaluation:
        """Metrics of predictions for every image of a split, in the fold's order."""
        targets = self.fold.targets[split].numpy()
        confusion = confusion_matrix(targets, predictions, len(self.classes))
        values = _from_confusion(confusion)
        if probabilities is not None:
            if len(self.classes) > TOP:
                values["top5"] = top_k_accuracy(probabilities, targets, TOP)
            values["ece"] = expected_calibration_error(probabilities, targets)
        if loss is not None:
            values["loss"] = loss
        index = np.arange(len(targets))
        return Evaluation(split, index, predictions, probabilities, targets, values, confusion, loss, facts)

    def trivial(self, split: str) -> dict[str, float]:
        """What always answering the training set's commonest class scores on a split."""
        counts = np.array(self.class_counts(split))
        confusion = np.zeros((len(counts), len(counts)), dtype=np.int64)
        confusion[:, int(np.argmax(self.class_counts("train")))] = counts
        return _from_confusion(confusion)

    def _logits(self, model: nn.Module, images: torch.Tensor, steps: Sequence[Any]) -> torch.Tensor:
        def run(batch: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = model(batch)["main"]
            return found

        call = run
        for step in reversed(steps):
            call = step.around(call)
        return call(images)

    def _also(self, logits: torch.Tensor) -> dict[str, torch.Tensor]:
        """Outputs that exist only in training stand for the main one where a loss is evaluated."""
        names: list[Any] = [term.on for _, term in self._terms()]
        return {name: logits for name in names if name != "main"}

    def _values(self, split: str) -> np.ndarray:
        """float32 (N, 3, height, width)."""
        dataset = self.fold.dataset(split, augment=False)
        batch = dataset.__getitems__(list(range(len(dataset))))
        found: np.ndarray = batch["image"].numpy()
        return found


def _from_confusion(confusion: np.ndarray) -> dict[str, float]:
    return {
        "accuracy": overall_accuracy(confusion),
        "balanced_accuracy": average_accuracy(confusion),
        "macro_f1": macro_f1(confusion),
    }


def _normalise_input(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (getattr(module, RUNNING)(arguments[0]), *arguments[1:])
