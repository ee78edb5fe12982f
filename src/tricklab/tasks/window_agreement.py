"""Whether a trained network gives windows of two sizes the same answer, on images of a run's own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tricklab.data.mask_fold import MaskFold
from tricklab.inference.disagreement import Disagreement, half_as_large_again, window_disagreement
from tricklab.inference.sliding import Scores, Sliding
from tricklab.ops.denormals import flushing_denormals
from tricklab.recipe.schema import Evaluate
from tricklab.tasks.mask_network import sliding_of

IMAGES = 4


@dataclass(frozen=True)
class WindowAgreement:
    """What two sizes of windows made of the same images.

    Attributes:
        first: (height, width) of the windows that the recipe or the command asks for.
        second: of the larger ones.
        images: how many were asked about.
        found: the largest disagreement of a logit, and the means of the others.
    """

    first: tuple[int, int]
    second: tuple[int, int]
    images: int
    found: Disagreement

    def __str__(self) -> str:
        (down, right), (lower, further) = self.first, self.second
        return f"windows of {down} × {right} against {lower} × {further} pixels: {self.found}"

    def as_data(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"windows": [list(self.first), list(self.second)], "images": self.images, **asdict(self.found)}


def agreement_of_run(model: nn.Module, evaluate: Evaluate, fold: MaskFold, split: str) -> WindowAgreement | None:
    """Ask a network about some images of a split in the recipe's windows and in larger ones, without postprocessing.

    Args:
        model: in evaluation mode.
        evaluate: the recipe's section.
        fold: the prepared data.
        split: of which ``IMAGES`` images are taken, evenly spread.

    Returns:
        None where the recipe asks for whole images, or where windows hold every one of these images.
    """
    plan = sliding_of(evaluate) if evaluate.method == "slide" else None
    if plan is None:
        return None
    device = next(model.parameters()).device

    def scores(images: Tensor) -> Tensor:
        found: Tensor = model(images)["main"]
        return found

    count = len(fold.members[split])
    numbers = np.unique(np.linspace(0, count - 1, min(IMAGES, count)).round().astype(int)).tolist()
    return agreement(scores, (fold.values(split, number).to(device) for number in numbers), plan)


def agreement(scores: Scores, images: Any, plan: Sliding) -> WindowAgreement | None:
    """The same for images (1, C, H, W) one after the other, asked by ``scores``."""
    larger, each = half_as_large_again(plan), []
    with torch.inference_mode(), flushing_denormals():
        for image in images:
            size = (image.shape[2], image.shape[3])
            if plan.count(size) > 1:
                each.append(window_disagreement(scores, image, plan, larger))
    if not each:
        return None
    classes, probability = (float(np.mean([getattr(one, name) for one in each])) for name in ("classes", "probability"))
    found = Disagreement(classes, probability, max(one.logit for one in each))
    return WindowAgreement(plan.window, larger.window, len(each), found)
