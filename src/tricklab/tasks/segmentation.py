"""Semantic segmentation: one class for each pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tricklab import registry
from tricklab.data.loaders import make_loader
from tricklab.data.mask_fold import MaskFold
from tricklab.data.mask_list import IGNORE
from tricklab.data.segmentation import SegmentationData
from tricklab.errors import UserError
from tricklab.inference.postprocess import asked_through, check_postprocess
from tricklab.losses import Losses
from tricklab.metrics.segmentation import MASK_METRICS, TOLERANCE, constant_scores, mask_metric_code
from tricklab.ops.ranks import ranks
from tricklab.recipe.schema import Settings
from tricklab.registry import component
from tricklab.seeds import Seeds
from tricklab.tasks.base import Evaluation
from tricklab.tasks.mask_evaluation import evaluate_masks
from tricklab.tasks.mask_facts import mask_facts
from tricklab.tasks.mask_network import asked_of_network, sliding_of
from tricklab.tasks.networks import build_with_inserts


@component("task", name="segmentation", given=("settings", "seeds"))
class SegmentationTask:
    """Classify every pixel of images.

    Args:
        settings: the resolved recipe.
        seeds: the block's streams.
    """

    fold: MaskFold
    losses: Losses
    metrics = (*MASK_METRICS, "loss")

    def __init__(self, *, settings: Settings, seeds: Seeds) -> None:
        self.settings, self.seeds = settings, seeds
        self.mixers: list[Any] = []

    def prepare(self) -> None:
        """Read the images, draw the split, fit the normalisation, build the losses.

        Raises:
            UserError: the data or the options cannot work.
        """
        chosen = self.settings
        if chosen.evaluate.method not in ("whole", "slide"):
            raise UserError(
                f"{chosen.evaluate.method} is for scenes", where="evaluate.method", fix="whole, or slide with a window"
            )
        if chosen.train.share_convolutions:
            raise UserError("images have no windows that share convolutions", where="train.share_convolutions")
        sliding_of(chosen.evaluate)
        check_postprocess(chosen.evaluate.postprocess, "masks")
        # built once before hours of training, so that a wrong number is told at once
        asked_through(chosen.evaluate.postprocess, lambda images: images, value_steps=torch.ones(3))
        self.fold = self.data().prepare(self.seeds)
        self.losses = Losses(with_ignore(chosen.losses, len(self.classes)), self.class_counts("train"), IGNORE)
        if self.losses.teachers:
            raise UserError("in the task segmentation nobody can be asked for scores", where="losses, teacher")
        self.mixers = [
            registry.build("mask_batch_transform", item, classes=len(self.classes), names=self.classes)
            for item in chosen.data.get("batch_augment") or []
        ]

    def data(self) -> SegmentationData:
        """The recipe's images, not read yet."""
        found: SegmentationData = registry.build("data", {"type": self.settings.task, **self.settings.data})
        return found

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names."""
        return self.fold.classes

    @property
    def label_ids(self) -> tuple[int, ...]:
        """The label value in the files of each class."""
        return self.fold.label_ids

    @property
    def fitted(self) -> dict[str, Any]:
        """What was learned from data beside the weights."""
        return self.fold.fitted

    def sizes(self) -> dict[str, int]:
        """Number of images of each split."""
        return {split: len(found) for split, found in self.fold.members.items()}

    def digest(self) -> dict[str, str]:
        """What identifies each split's pixels and labels."""
        return self.fold.digest

    def sources(self) -> dict[str, str]:
        """Hashes of what a training learns from beside its data; nothing here."""
        return {}

    def metric_code(self) -> str:
        """Hash of the code that scores masks; where outlines are the declared metric, of their tolerance too."""
        asked = self.settings.evaluate.boundary_tolerance
        if asked in (None, TOLERANCE) or "/boundary_f" not in self.settings.metric.monitor:
            return mask_metric_code()
        return f"{mask_metric_code()} within {asked:g}"

    def class_counts(self, split: str) -> list[int]:
        """Pixels of each class in a split."""
        found: list[int] = self.fold.facts["data/class_counts"][split]
        return found

    def facts(self) -> dict[str, Any]:
        """Facts about the data and the losses, by their recorded names."""
        order = self.fold.sampler.order(self.fold.targets["train"].numpy(), 0, self.seeds)[0]
        terms = zip(self.losses.names, self.losses.terms, strict=True)
        weights = {name: getattr(term, "class_weight", None) for name, term in terms}
        return {
            **self.fold.facts,
            **mask_facts(self.fold),
            "data/epoch_class_counts": self.fold.targets["train"][torch.from_numpy(order)].sum(dim=0).tolist(),
            "loss/class_weights": {
                name: weight.tolist() if isinstance(weight, Tensor) else None for name, weight in weights.items()
            },
            "loss/perfect": self._perfect_losses(),
            "loss/expected_initial": self.losses.expected_initial(len(self.classes)),
        }

    def build_model(self) -> Any:
        """A fresh model with the recipe's inserted blocks; the same block gives the same initial weights."""
        model = build_with_inserts(
            self.settings, self.seeds, len(self.classes), channels=self.fold.store.channels, size=self.fold.crop
        )
        if not isinstance(model, nn.Module):
            raise UserError(f"{self.settings.model['type']} says nothing of single pixels", where="model.type")
        return model

    def loader(self, split: str) -> Any:
        """Batches of a split; those of ``train`` are drawn by the recipe's sampler, cut and augmented."""
        train = split == "train"
        # whole images may differ in size, and then they come one by one
        size = self.settings.train.batch_size if train else 1
        workers = self.settings.train.workers if train else 0
        return make_loader(self.fold, split, size, self.seeds, workers, train=train)

    def forward(self, model: Any, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """A batch through the model: named outputs, logits (N, K, H, W) at the size of the images."""
        found: dict[str, Tensor] = model(batch["image"])
        return found

    def augment_batch(self, batch: dict[str, Any], epoch: float, micro_batch: int) -> dict[str, Any]:
        """Mix images and masks of a training batch; what is drawn depends on the numbers of micro-batch and process."""
        among = () if ranks().first else (ranks().rank,)
        for place, mixer in enumerate(self.mixers):
            batch = mixer(batch, self.seeds.numpy("mix", place, micro_batch, *among), epoch)
        return batch

    def loss(self, outputs: Any, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted total and its terms by name."""
        found: tuple[Tensor, dict[str, Tensor]] = self.losses(outputs, batch)
        return found

    def evaluate(
        self, model: nn.Module, split: str, postprocess: Sequence[Mapping[str, Any]] = (), method: str = "whole"
    ) -> Evaluation:
        """Score a model, which must be in evaluation mode, on every image of a split.

        Predictions are scored at the size of the files, whatever ``data.resize`` says: logits are resized, masks
        never. The loss is the mean over the images of each one's own.

        Args:
            split: train (whole and unchanged), val or test.
            postprocess: components of kind postprocess that act on masks.
            method: ``whole``: each image at once; ``slide``: in windows of ``evaluate.window``.

        Raises:
            UserError: the split is empty; or the loss is the declared metric and no term exists outside training.
        """
        if not len(self.fold.members[split]):
            raise UserError(f"the {split} set is empty", where="data.split", fix=f"give {split} images")
        ask = asked_of_network(model, self.fold.normalisation, self.settings.evaluate, postprocess, method)
        chosen = self.settings.evaluate
        tolerance = TOLERANCE if chosen.boundary_tolerance is None else chosen.boundary_tolerance
        found = evaluate_masks(ask, self.fold, split, self.losses, chosen.batch_size, _device(model), tolerance)
        if found.loss is None and self.settings.metric.monitor.endswith("/loss"):
            raise UserError("no loss exists outside training", where="metric.monitor", fix="take another metric")
        return found

    def trivial(self, split: str) -> dict[str, float]:
        """What answering the training set's commonest class at every pixel scores on a split."""
        truth = self.fold.targets[split].numpy()
        return constant_scores(truth, int(np.argmax(self.class_counts("train"))))

    def fit_classical(self, model: Any, seed: int) -> None:
        """There is no model of masks without gradients.

        Raises:
            UserError: always.
        """
        raise UserError(f"{type(model).__name__} says nothing of single pixels", where="model.type")

    def evaluate_classical(self, model: Any, split: str) -> Evaluation:
        """There is no model of masks without gradients.

        Raises:
            UserError: always.
        """
        raise UserError(f"{type(model).__name__} says nothing of single pixels", where="model.type")

    def _perfect_losses(self) -> dict[str, float]:
        """Each term on the mask of the first training image, with logits that are 10 at the target and 0 elsewhere."""
        target = self.fold.dataset("train")[0]["target"][None]
        known = target.where(target != IGNORE, 0)
        logits = 10.0 * nn.functional.one_hot(known, len(self.classes)).movedim(-1, 1).float()
        terms = zip(self.losses.names, self.losses.terms, strict=True)
        return {
            name: float(self.losses.value(term, logits, {"target": target}))
            for name, term in terms
            if not getattr(term, "training_only", False)
        }


def with_ignore(losses: Sequence[Mapping[str, Any]], classes: int) -> list[dict[str, Any]]:
    """The losses of a recipe with 255 where they do not say which target means "no label"; no mask has a -1.

    Raises:
        UserError: a term would ignore what is neither a class nor "no label", and so nothing.
    """
    for place, item in enumerate(losses):
        said = item.get("ignore_index")
        if said is not None and said not in (-1, IGNORE) and not 0 <= said < classes:
            raise UserError(
                f"no pixel has the target {said}: the classes are 0 to {classes - 1}, and {IGNORE} is no label",
                where=f"losses.{place}.ignore_index",
                fix="leave it out; label values of the files without a class belong into data.ignore",
            )
    return [
        {**item, "ignore_index": IGNORE}
        if "ignore_index" in item and item["ignore_index"] in (None, -1)
        else dict(item)
        for item in losses
    ]


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
