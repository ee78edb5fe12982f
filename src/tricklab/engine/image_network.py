"""The network of a finished run on images, without the run's data: for predicting, explaining and exporting."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from tricklab.data.image_geometry import as_tensor, fit_to_size
from tricklab.data.image_normalisation import Normalisation
from tricklab.data.image_reading import read_image
from tricklab.data.image_threads import map_images
from tricklab.engine.trainer import pick_device
from tricklab.errors import UserError
from tricklab.inference.postprocess import asked_through
from tricklab.ops.denormals import flushing_denormals
from tricklab.recipe.schema import Settings
from tricklab.records import RunFolder
from tricklab.tasks.run_network import network_of

Unreadable = Literal["error", "skip"]
_AHEAD = 2


@dataclass(frozen=True)
class ImageNetwork:
    """A trained network and all that it needs to know of an image.

    Attributes:
        run: the folder that it comes from.
        settings: the resolved recipe.
        model: float32, in evaluation mode, with the weights that the recipe scores.
        classes: class names, in the order of its outputs.
        size: (height, width) that it sees.
        normalisation: from bytes to its values.
        device: where it is.
    """

    run: RunFolder
    settings: Settings
    model: nn.Module
    classes: tuple[str, ...]
    size: tuple[int, int]
    normalisation: Normalisation
    device: torch.device

    def fit(self, pixels_HW3: np.ndarray) -> Tensor:
        """An image, uint8 (H, W, 3), at the network's size: uint8 (3, height, width), as in training."""
        data = self.settings.data
        return fit_to_size(as_tensor(pixels_HW3), self.size, data["resize"], data["interpolation"])

    def values(self, images_N3HW: Tensor) -> Tensor:
        """float32 (N, 3, height, width) on the network's device of uint8 images at its size."""
        return self.normalisation(images_N3HW).to(self.device)

    def logits(self, values_N3HW: Tensor) -> Tensor:
        """Scores (N, K) of normalised images; gradients flow."""
        found: Tensor = self.model(values_N3HW)["main"]
        return found

    def probabilities(self, images_N3HW: Tensor) -> Tensor:
        """float32 (N, K) on the CPU of uint8 images at its size, with the recipe's postprocessing."""
        call = asked_through(self.settings.evaluate.postprocess, self.logits)
        with torch.inference_mode(), flushing_denormals():
            return torch.softmax(call(self.values(images_N3HW)).float(), dim=1).cpu()


@dataclass(frozen=True)
class PredictedBatch:
    """Probabilities float32 (N, K) of the images that could be read, and {path: why} of the others."""

    paths: list[Path]
    probabilities: np.ndarray
    unreadable: dict[Path, str]


def open_image_network(
    folder: str | os.PathLike[str], *, device: str | None = None, threads: int | None = None
) -> ImageNetwork:
    """Open the network of a finished run on images; the images that it was trained on are not needed.

    Args:
        folder: the run's folder.
        device: where the model goes; ``auto`` if not given.
        threads: CPU threads; as the run's if not given.

    Raises:
        UserError: the run is not finished or of another task, its model has no weights, or its files are damaged.
    """
    run = RunFolder.open(folder)
    found = network_of(run)
    torch.set_num_threads(threads or run.provenance()["execution"]["threads"])
    where = pick_device(device or "auto")
    model = found.model.eval().to(where)
    return ImageNetwork(run, found.settings, model, found.classes, found.size, found.normalisation, where)


def predicted_batches(
    network: ImageNetwork,
    paths: Sequence[Path],
    *,
    unreadable: Unreadable = "error",
    progress: Callable[[int], None] | None = None,
) -> Iterator[PredictedBatch]:
    """Predict images batch by batch; the next ones are decoded while the network works, nothing else is kept.

    Args:
        unreadable: files that are no images: ``error``, or ``skip`` hands them on in their batch.
        progress: called with the number of images done.

    Raises:
        UserError: a file that is no image, with ``error``; names it.
    """
    done, size = 0, network.settings.evaluate.batch_size
    parts = iter([paths[start : start + size] for start in range(0, len(paths), size)])
    waiting: deque[Future[tuple[list[Path], Tensor | None, dict[Path, str]]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="decoding") as ahead:
        try:
            for part in islice(parts, _AHEAD):
                waiting.append(ahead.submit(_decoded, network, part, unreadable))
            while waiting:
                found, images, broken = waiting.popleft().result()
                for part in islice(parts, 1):
                    waiting.append(ahead.submit(_decoded, network, part, unreadable))
                empty = np.zeros((0, len(network.classes)), dtype=np.float32)
                yield PredictedBatch(found, empty if images is None else network.probabilities(images).numpy(), broken)
                done += len(found) + len(broken)
                if progress is not None:
                    progress(done)
        finally:
            for one in waiting:
                one.cancel()


def _decoded(
    network: ImageNetwork, paths: Sequence[Path], unreadable: Unreadable
) -> tuple[list[Path], Tensor | None, dict[Path, str]]:
    def one(place: int) -> Tensor | str:
        try:
            return network.fit(read_image(paths[place]))
        except UserError as error:
            if unreadable == "error":
                raise
            return error.what

    made = map_images(one, len(paths))
    images = [item for item in made if isinstance(item, Tensor)]
    readable = [path for path, item in zip(paths, made, strict=True) if isinstance(item, Tensor)]
    broken = {path: item for path, item in zip(paths, made, strict=True) if isinstance(item, str)}
    return readable, torch.stack(images) if images else None, broken
