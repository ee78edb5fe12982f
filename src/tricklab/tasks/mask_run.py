"""The network of a finished run on masks, without the run's data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tricklab.data.mask_resizing import Resizing, resizing_of
from tricklab.data.pixel_normalisation import PixelNormalisation
from tricklab.errors import UserError
from tricklab.models.initial_weights import skipping_initial_weights
from tricklab.recipe import load, resolve, settings
from tricklab.recipe.schema import Settings
from tricklab.records import RunFolder, load_tree
from tricklab.records.sibling import sibling
from tricklab.seeds import Seeds
from tricklab.tasks.mask_network import asked_of_network
from tricklab.tasks.networks import build_with_inserts
from tricklab.tasks.run_network import finished, with_scored_weights

Ask = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class MaskRun:
    """A trained network of masks and what it reads.

    Attributes:
        settings: the resolved recipe.
        model: float32, in evaluation mode, with the weights that the recipe scores: the last, the averaged, or an
            ensemble's.
        classes: class names, in the order of its outputs.
        label_ids: the label value in the files of each class.
        normalisation: from files' values to its own.
        channels: of its images.
        dtype: of its images' files.
        resizing: what is done to each image first; None for nothing.
    """

    settings: Settings
    model: nn.Module
    classes: tuple[str, ...]
    label_ids: tuple[int, ...]
    normalisation: PixelNormalisation
    channels: int
    dtype: np.dtype
    resizing: Resizing | None

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.model.parameters()).device

    def ask(self, method: str) -> Ask:
        """A call, normalised images (N, C, H, W) → logits (N, K, H, W), with the recipe's postprocessing around it.

        Args:
            method: ``whole``, or ``slide`` in the recipe's windows.
        """
        evaluate = self.settings.evaluate
        return asked_of_network(self.model, self.normalisation, evaluate, evaluate.postprocess, method)

    def values(self, rows_HWC: np.ndarray, where: str) -> Tensor:
        """What the network reads of an image's rows, float32 (1, C, H, W) on its device.

        Raises:
            UserError: another number of channels or another type than the images that it was trained on.
        """
        if rows_HWC.shape[2] != self.channels or rows_HWC.dtype != self.dtype:
            raise UserError(
                f"it has {rows_HWC.shape[2]} channels of {rows_HWC.dtype}, the network was trained on {self.channels} "
                f"of {self.dtype}",
                where=where,
                fix="images of one kind",
            )
        plain = np.ascontiguousarray(rows_HWC.transpose(2, 0, 1), dtype=np.float32)[None]
        return self.normalisation(torch.from_numpy(plain)).to(self.device)


def mask_run(run: RunFolder, device: torch.device | str = "cpu") -> MaskRun:
    """Open the network of a run folder.

    Raises:
        UserError: the run is not finished or of another task, or its files are damaged.
    """
    finished(run)
    chosen = settings(resolve(load(run.recipe)))
    if chosen.task != "segmentation":
        raise UserError(f"a run on masks is needed, this one is of {chosen.task}", where=str(run.path))
    source = sibling(run) or run
    fitted = load_tree(source.checkpoint("fitted"))
    classes = tuple(str(name) for name in fitted["class_names"])
    channels = int(fitted["channels"])
    with skipping_initial_weights():
        seeds, crop = Seeds(chosen.seed, int(run.declared["block"])), chosen.data.get("crop")
        size = None if crop is None else (int(crop[0]), int(crop[1]))
        model = build_with_inserts(chosen, seeds, len(classes), channels=channels, size=size)
    model = with_scored_weights(model, source, chosen)
    mean, std = (tuple(float(value) for value in fitted[name]) for name in ("mean", "std"))
    return MaskRun(
        settings=chosen,
        model=model.eval().to(device),
        classes=classes,
        label_ids=tuple(int(value) for value in fitted["label_values"]),
        normalisation=PixelNormalisation(str(fitted["normalise"]), mean, std, float(fitted["scale"])),
        channels=channels,
        dtype=np.dtype(str(fitted["dtype"])),
        resizing=resizing_of(_plain(fitted["resize"])),
    )


def _plain(said: Any) -> list[int] | dict[str, int] | None:
    if said is None:
        return None
    if isinstance(said, dict):
        return {str(key): int(value) for key, value in said.items()}
    assert isinstance(said, Sequence)
    return [int(value) for value in said]
