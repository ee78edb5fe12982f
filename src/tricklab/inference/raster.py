"""Masks of rasters that are larger than memory: read by rows, answered by windows, written to a mapped file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tricklab.errors import UserError
from tricklab.inference.mask_scores import log_probabilities, require_answered
from tricklab.inference.sliding import Read, Scores, Sliding, sliding_rows
from tricklab.records.atomic import replacing

What = Literal["classes", "probabilities", "logits"]


@dataclass(frozen=True)
class PredictedRaster:
    """What was written.

    Attributes:
        path: of a ``.npy``: ``classes`` (H, W) uint8 or uint16, else (channels, H, W) float32.
        counts: pixels of each class, int64 (K,).
        windows: how many were asked.
    """

    path: Path
    counts: np.ndarray
    windows: int


def predict_raster(
    scores: Scores,
    read: Read,
    size: tuple[int, int],
    plan: Sliding,
    path: Path,
    what: What = "classes",
    threshold: float = 0.5,
    progress: Callable[[int], None] = lambda rows: None,
) -> PredictedRaster:
    """Predict a raster without ever holding it: in memory are the rows of one line of windows.

    The file is mapped anew for each strip of rows, so that written pages are given back; it appears under its name when
    it is complete. Postprocessing that stands around ``scores`` is done window by window, before windows are blended.

    Args:
        scores: asks the network; one channel is class 1 of two.
        read: rows top … bottom - 1 as the network reads them, float32 (1, C, rows, W).
        size: (height, width).
        plan: the windows.
        path: of the ``.npy`` file.
        what: class numbers; probabilities, of both classes where there is one channel; or logits as they come.
        threshold: of networks with one channel: from which probability on a pixel is class 1.
        progress: told how many rows are done.

    Raises:
        UserError: not a ``.npy``, a side below 1, a threshold outside (0, 1), scores that are no
            numbers, or as ``sliding_rows``.
    """
    if path.suffix != ".npy":
        raise UserError(
            f"a raster's answer is a .npy file, not {path.suffix or 'one without a suffix'}", where=str(path)
        )
    if min(size) < 1:
        raise UserError(f"a raster of {size[0]} × {size[1]} pixels has no pixels", where=str(path))
    if not 0 < threshold < 1:
        raise UserError(f"a threshold must lie between 0 and 1, not {threshold:g}", where="threshold")
    path.parent.mkdir(parents=True, exist_ok=True)
    counts: np.ndarray | None = None
    with replacing(path) as place, torch.inference_mode():
        for top, logits in sliding_rows(scores, read, size, plan):
            require_answered(logits, str(path))
            classes = _classes(logits, threshold)
            if counts is None:
                counts = np.zeros(max(logits.shape[1], 2), dtype=np.int64)
                _create(place, what, logits.shape[1], size)
            counts += torch.bincount(classes.flatten(), minlength=len(counts)).cpu().numpy()
            rows = {"classes": classes, "logits": logits}.get(what)
            rows = log_probabilities(logits).exp() if rows is None else rows
            # unmapped at once: mapped pages would count as memory until the end
            mapped = np.lib.format.open_memmap(place, mode="r+")
            mapped[..., top : top + logits.shape[2], :] = rows[0].cpu().numpy()
            del mapped
            progress(top + logits.shape[2])
    assert counts is not None
    return PredictedRaster(path, counts, plan.count(size))


def _classes(logits: Tensor, threshold: float) -> Tensor:
    """int64 (1, H, W)."""
    if logits.shape[1] == 1:
        return (torch.sigmoid(logits[:, 0]) >= threshold).long()
    return logits.argmax(dim=1)


def _create(place: Path, what: What, channels: int, size: tuple[int, int]) -> None:
    """An empty file of the right shape; it takes no room before it is written."""
    if what == "classes":
        shape: tuple[int, ...] = size
        dtype = np.dtype(np.uint8 if channels <= 256 else np.uint16)
    else:
        shape = (max(channels, 2) if what == "probabilities" else channels, *size)
        dtype = np.dtype(np.float32)
    np.lib.format.open_memmap(place, mode="w+", dtype=dtype, shape=shape)
