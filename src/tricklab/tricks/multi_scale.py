"""Training images at random sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("multi_scale", tasks=("segmentation",), source="Chen et al., TPAMI 2018 (DeepLab); MMCV RandomResize")
def multi_scale(
    recipe: Recipe,
    low: Positive = 0.5,
    high: Positive = 2.0,
    scale: tuple[int, int] | None = None,
    keep_ratio: bool = False,
) -> Recipe:
    """Resize training images and masks by a factor drawn evenly between ``low`` and ``high``, before the crop.

    The factor is of each image's own size, or of ``scale`` (width, height). With ``keep_ratio`` such a scale is an
    upper bound of both sides. Images of different sizes need ``data.crop``, which fills up those that became too small.
    """
    sizes = {"scale": scale, "ratio_range": (low, high), "keep_ratio": keep_ratio}
    return with_augmentation(recipe, {"type": "RandomResize", **sizes})


@multi_scale.probe(when="fit")
def sizes_were_changed(evidence: Evidence) -> Proof:
    """A share of the training images got another size."""
    return was_drawn(evidence, "RandomResize")
