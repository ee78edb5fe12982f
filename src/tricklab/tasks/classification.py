"""Image classification: one class for each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from tricklab import registry
from tricklab.data.classification import ImageData
from tricklab.data.image_fold import ImageFold
from tricklab.errors import UserError
from tricklab.inference.postprocess import check_views
from tricklab.metrics import average_accuracy, overall_accuracy
from tricklab.metrics.classes import expected_calibration_error, macro_f1, top_k_accuracy
from tricklab.ops.ranks import ranks
from tricklab.recipe.schema import Settings
from tricklab.registry import component
from tricklab.seeds import Seeds
from tricklab.tasks.asked_outputs import asked_outputs
from tricklab.tasks.base import Evaluation
from tricklab.tasks.networks import build_image_network
from tricklab.tasks.one_label import OneLabelTask
from tricklab.tasks.teaching import Teaching

TOP = 5


@component("task", name="classification", given=("settings", "seeds"))
class ClassificationTask(OneLabelTask):
    """Classify whole images.

    Args:
        settings: the resolved recipe.
        seeds: the block's streams.
    """

    fold: ImageFold
    metrics = ("accuracy", "balanced_accuracy", "macro_f1", "top5", "ece", "loss")
    items = "images"
    has_teachers = True
    teaching: Teaching

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
        check_views(chosen.evaluate.postprocess, self.fold.store.size)
        if chosen.metric.monitor.endswith("/top5") and len(self.classes) <= TOP:
            raise UserError(
                f"with {len(self.classes)} classes the right one is always among the first {TOP}",
                where="metric.monitor",
                fix="val/accuracy or val/macro_f1",
            )
        self.teaching = Teaching(self.losses.teachers, self.fold, self.seeds.block)
        self.mixers = [
            registry.build("batch_transform", item, classes=len(self.classes))
            for item in chosen.data.get("batch_augment") or []
        ]

    def data(self) -> ImageData:
        """The recipe's images, not read yet; what is the model's own is known."""
        found: ImageData = super().data()
        return found.for_network(self.settings.model)

    @property
    def fitted(self) -> dict[str, Any]:
        """What was learned from data beside the weights, and ``seen_images``: hashes of the images learned from."""
        return {**super().fitted, "seen_images": self.teaching.seen_images()}

    def sources(self) -> dict[str, str]:
        """{"teacher of <term>": hash of its weights and of what it sees}; the teachers are built for it.

        Raises:
            UserError: one cannot be had, does not fit, or was trained on images that this run is scored on.
        """
        found = self.teaching.teachers
        return {f"teacher of {name}": found[key].digest for name, key in self.losses.taught.items()}

    def facts(self) -> dict[str, Any]:
        """Facts about the data, the losses and, in a training, the teachers, by their recorded names."""
        if not self.teaching.built:
            return super().facts()
        found = self.teaching.teachers
        return {**super().facts(), "teachers": {name: found[key].facts() for name, key in self.losses.taught.items()}}

    def build_model(self) -> Any:
        """A fresh model with the recipe's inserted blocks; the same block gives the same initial weights."""
        size, normalise = self.fold.store.size, self.fold.normalisation.name
        return build_image_network(self.settings, self.seeds, len(self.classes), size, normalise)

    def augment_batch(self, batch: dict[str, Any], epoch: float, micro_batch: int) -> dict[str, Any]:
        """Mix the images of a training batch; what is drawn depends on the numbers of micro-batch and process alone.

        Several processes mix each its own part of the batch.
        Teachers are asked about the mixed images.
        """
        among = () if ranks().first else (ranks().rank,)
        for place, mixer in enumerate(self.mixers):
            batch = mixer(batch, self.seeds.numpy("mix", place, micro_batch, *among), epoch)
        return self.teaching.ask(batch)

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
        ask = asked_outputs(model, self.losses.outputs, postprocess)
        device = next(model.parameters()).device
        size = self.settings.evaluate.batch_size
        dataset = self.fold.dataset(split, augment=False)

        def scores(items: torch.Tensor) -> dict[str, torch.Tensor]:
            images = dataset.__getitems__(items.tolist())["image"].to(device)
            return {name: found.float().cpu() for name, found in ask(images).items()}

        with torch.inference_mode():
            outputs = ranks().over(torch.arange(len(dataset)).split(size), scores)
        return self.evaluation(split, outputs.pop("main"), {}, outputs)

    def measures(self, confusion: np.ndarray) -> dict[str, float]:
        """Accuracy, its mean over the classes, F1 averaged over the classes."""
        return {
            "accuracy": overall_accuracy(confusion),
            "balanced_accuracy": average_accuracy(confusion),
            "macro_f1": macro_f1(confusion),
        }

    def scores(self, probabilities: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Calibration and, of more than five classes, top-5 accuracy."""
        top = {"top5": top_k_accuracy(probabilities, targets, TOP)} if len(self.classes) > TOP else {}
        return {**top, "ece": expected_calibration_error(probabilities, targets)}

    def values(self, model: Any, split: str, chosen: slice) -> np.ndarray:
        """float32 (N, 3, height, width)."""
        dataset = self.fold.dataset(split, augment=False)
        found: np.ndarray = dataset.__getitems__(list(range(len(dataset)))[chosen])["image"].numpy()
        return found
