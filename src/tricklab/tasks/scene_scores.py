"""Class scores of every pixel of a split: window by window, or the whole scene at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from tricklab.data.windows import gather_windows

if TYPE_CHECKING:
    from tricklab.tasks.hyperspectral import HyperspectralTask


@dataclass(frozen=True)
class Scores:
    """Logits (N, K) float32 on the CPU and their softmax."""

    logits: torch.Tensor

    @property
    def probabilities(self) -> np.ndarray:
        """Softmax of the logits, float32 (N, K)."""
        return torch.softmax(self.logits, dim=1).numpy()


def scene_logits(
    task: HyperspectralTask,
    model: nn.Module,
    split: str,
    postprocess: Sequence[Mapping[str, Any]],
    method: str,
    facts: dict[str, Any],
) -> Scores:
    """Scores of a split's pixels, in the fold's order."""
    fold = task.fold
    cube, centres = fold.cube_for(split), fold.centres[split]
    device = next(model.parameters()).device
    size = task.settings.evaluate.batch_size
    parts = []
    with torch.inference_mode():
        for start in range(0, len(centres), size):
            windows = gather_windows(cube, centres[start : start + size], fold.window)
            parts.append(model(windows.to(device))["main"].float().cpu())
    return Scores(torch.cat(parts))
