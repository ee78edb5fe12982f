"""Hyperspectral classification: a window around each labelled pixel, one class for its centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from tricklab.data.fold import HyperspectralFold
from tricklab.metrics import average_accuracy, kappa, overall_accuracy
from tricklab.ops.windows import gather_windows
from tricklab.recipe.schema import Settings
from tricklab.registry import component
from tricklab.seeds import Seeds
from tricklab.tasks.base import Evaluation
from tricklab.tasks.one_label import OneLabelTask
from tricklab.tasks.scene_scores import scene_logits
from tricklab.tasks.shared_batches import check_sharing, place_loader


@component("task", name="hyperspectral", given=("settings", "seeds"))
class HyperspectralTask(OneLabelTask):
    """Classify the pixels of a hyperspectral scene from windows around them.

    Args:
        settings: the resolved recipe.
        seeds: the block's streams.
    """

    fold: HyperspectralFold
    metrics = ("oa", "aa", "kappa", "loss")
    items = "scenes"

    def __init__(self, *, settings: Settings, seeds: Seeds) -> None:
        super().__init__(settings=settings, seeds=seeds)
        self._cube: torch.Tensor | None = None

    def facts(self) -> dict[str, Any]:
        """Facts about the data, by their recorded names."""
        return {**super().facts(), "data/band_scales": self._band_scales()}

    def build_model(self) -> Any:
        """A fresh model with the recipe's inserted blocks; the same block gives the same initial weights."""
        bands, window = self.fold.bands, self.fold.window
        # networks of images see a window as an image whose channels are its bands
        model = self.build_with_inserts(bands=bands, window=window, channels=bands, size=(window, window))
        if self.settings.train.share_convolutions:
            check_sharing(self.settings, model)
        return model

    def loader(self, split: str) -> Any:
        """Batches of a split; those of ``train`` are drawn by the recipe's sampler and augmented."""
        if split == "train" and self.settings.train.share_convolutions:
            return place_loader(self.fold, self.settings.train.batch_size, self.seeds)
        return super().loader(split)

    def forward(self, model: Any, batch: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """A batch through the model: named outputs."""
        if "image" not in batch:
            if self._cube is None or self._cube.device != batch["centre"].device:
                self._cube = self.fold.cube_for("train").to(batch["centre"].device)
            return model.forward_windows(self._cube, batch["centre"])
        return super().forward(model, batch)

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
        return self.evaluation(split, logits, facts)

    def measures(self, confusion: np.ndarray) -> dict[str, float]:
        """Overall and average accuracy, kappa."""
        return {"oa": overall_accuracy(confusion), "aa": average_accuracy(confusion), "kappa": kappa(confusion)}

    def values(self, model: Any, split: str, chosen: slice) -> np.ndarray:
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
