"""Hyperspectral classification: a window around each labelled pixel, one class for its centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from tricklab.data.fold import HyperspectralFold
from tricklab.data.loaders import make_loader
from tricklab.metrics import (
    average_accuracy,
    confusion_matrix,
    kappa,
    overall_accuracy,
    trivial_scores,
)
from tricklab.ops.windows import gather_windows
from tricklab.recipe.schema import Settings
from tricklab.registry import component
from tricklab.seeds import Seeds
from tricklab.tasks.base import Evaluation
from tricklab.tasks.one_label import OneLabelTask
from tricklab.tasks.scene_scores import scene_logits
from tricklab.tasks.shared_batches import check_sharing, place_loader

_CHUNK = 4096


@component("task", name="hyperspectral", given=("settings", "seeds"))
class HyperspectralTask(OneLabelTask):
    """Classify the pixels of a hyperspectral scene from windows around them.

    Args:
        settings: the resolved recipe.
        seeds: the block's streams.
    """

    fold: HyperspectralFold
    metrics = ("oa", "aa", "kappa", "loss")

    def __init__(self, *, settings: Settings, seeds: Seeds) -> None:
        super().__init__(settings=settings, seeds=seeds)
        self._cube: torch.Tensor | None = None

    def facts(self) -> dict[str, Any]:
        """Facts about the data, by their recorded names."""
        return {**super().facts(), "data/band_scales": self._band_scales()}

    def build_model(self) -> Any:
        """A fresh model with the recipe's inserted blocks; the same block gives the same initial weights."""
        model = self.build_with_inserts(bands=self.fold.bands, window=self.fold.window)
        if self.settings.train.share_convolutions:
            check_sharing(self.settings, model)
        return model

    def loader(self, split: str) -> Any:
        """Batches of a split; those of ``train`` are drawn by the recipe's sampler and augmented."""
        train = split == "train"
        if train and self.settings.train.share_convolutions:
            return place_loader(self.fold, self.settings.train.batch_size, self.seeds)
        size = self.settings.train.batch_size if train else self.settings.evaluate.batch_size
        workers = self.settings.train.workers if train else 0
        return make_loader(self.fold, split, size, self.seeds, workers, train=train)

    def forward(self, model: Any, batch: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """A batch through the model: named outputs."""
        if "image" not in batch:
            if self._cube is None or self._cube.device != batch["centre"].device:
                self._cube = self.fold.cube_for("train").to(batch["centre"].device)
            return model.forward_windows(self._cube, batch["centre"])
        return model(batch["image"])

    def evaluate(
        self, model: nn.Module, split: str, postprocess: Sequence[Mapping[str, Any]] = (), method: str = "windows"
    ) -> Evaluation:
        """Score a model, which must be in evaluation mode, on every pixel of a split.

        Args:
            split: train (without augmentation), val or test.
            postprocess: components of kind postprocess.
            method: ``windows`` one by one, or ``dense``: the scene in one pass, checked against windows before use.

        Raises:
            UserError: the split is empty, or dense inference does not give what windows give.
        """
        self.require(split)
        facts: dict[str, Any] = {}
        logits = scene_logits(
            model,
            self.fold.cube_for(split),
            self.fold.centres[split],
            window=self.fold.window,
            method=method,
            postprocess=postprocess,
            batch_size=self.settings.evaluate.batch_size,
            facts=facts,
        )
        total, _ = self.losses({"main": logits}, {"target": self.fold.targets[split]})
        probabilities = torch.softmax(logits, dim=1).numpy()
        return self.score(split, probabilities, logits.argmax(dim=1).numpy(), float(total), facts)

    def fit_classical(self, model: Any, seed: int) -> None:
        """Fit a model without gradients on the training windows, unaugmented.

        Raises:
            UserError: the model cannot be fitted on them.
        """
        model.fit(self._windows(model, "train", slice(None)), self.fold.targets["train"].numpy(), seed)

    def evaluate_classical(self, model: Any, split: str) -> Evaluation:
        """Score a fitted model without gradients; it has neither probabilities nor a loss."""
        self.require(split)
        count = len(self.fold.targets[split])
        chunks = (slice(start, start + _CHUNK) for start in range(0, count, _CHUNK))
        scores = np.concatenate([model.predict_scores(self._windows(model, split, chunk)) for chunk in chunks])
        return self.score(split, None, scores.argmax(axis=1), None, {})

    def score(
        self,
        split: str,
        probabilities: np.ndarray | None,
        predictions: np.ndarray,
        loss: float | None,
        facts: dict[str, Any],
    ) -> Evaluation:
        """Metrics of predictions for every pixel of a split, in the fold's order."""
        targets = self.fold.targets[split].numpy()
        confusion = confusion_matrix(targets, predictions, len(self.classes))
        values = {
            "oa": overall_accuracy(confusion),
            "aa": average_accuracy(confusion),
            "kappa": kappa(confusion),
        }
        if loss is not None:
            values["loss"] = loss
        index = np.arange(len(targets))
        return Evaluation(split, index, predictions, probabilities, targets, values, confusion, loss, facts)

    def trivial(self, split: str) -> dict[str, float]:
        """What always answering the training set's commonest class scores on a split."""
        commonest = int(np.argmax(self.class_counts("train")))
        found = trivial_scores(np.array(self.class_counts(split)), commonest)
        return {name: found[name] for name in ("oa", "aa", "kappa")}

    def _windows(self, model: Any, split: str, chosen: slice) -> np.ndarray:
        """Windows (N, bands, S, S) of some pixels of a split; S is 1 for a model that reads the centre only."""
        cube, centres = self.fold.cube_for(split), self.fold.centres[split][chosen]
        if model.centre_only:
            half = self.fold.window // 2
            rows, columns = centres.T + half
            return cube[:, rows, columns].T.numpy()[:, :, None, None]
        return gather_windows(cube, centres, self.fold.window).numpy()

    def _band_scales(self) -> list[float]:
        rows, columns = self.fold.centres["train"].numpy().T
        return self.fold.planes[:, rows, columns].std(axis=1, dtype=np.float64).tolist()
