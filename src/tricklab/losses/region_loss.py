"""Base of the losses that compare whole regions: a ratio for each class, in each image or in the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from tricklab.errors import UserError
from tricklab.losses.chosen_classes import check_classes, chosen_classes
from tricklab.losses.pixel_loss import Loss
from tricklab.losses.targets import class_scores, distribution, known_pixels, log_chance

Classes = Literal["all", "present"] | list[int]


@dataclass(frozen=True)
class Regions:
    """Probabilities and truth, class by class.

    Attributes:
        probability: (N, C, P) of the C chosen classes; N is 1 where the batch is one region.
        truth: (N, C, P) share of each class in each pixel.
        counted: bool (N, 1, P): labelled, and kept by the sampler.
        classes: which C of the K classes.
        weight: (C,) or None for equal weights.
        hinge: (N, 1, P) raw scores of one channel; None where there are more.
    """

    probability: torch.Tensor
    truth: torch.Tensor
    counted: torch.Tensor
    classes: tuple[int, ...]
    weight: torch.Tensor | None
    hinge: torch.Tensor | None


class RegionLoss(Loss):
    """A mean over classes, weighted by ``class_weight``, and over images if ``per_image``; pixels that are ignored, or
    that a sampler drops, belong to no region. One channel has one region, class 1 of two; weights of classes change
    nothing of the mean over a single one.

    Args:
        classes: ``all``; ``present``: those with a pixel in the image (in the batch); or a list of class numbers; one
            channel has class 1 alone.
        per_image: whether each image has its own ratio, or the batch one.
        use_sigmoid: score each class alone.

    Raises:
        UserError: a sampler whose divisor is ``all``: a ratio has none.
    """

    def __init__(
        self, classes: Classes = "all", per_image: bool = True, use_sigmoid: bool = False, **rest: Any
    ) -> None:
        super().__init__(**rest)
        self.classes, self.per_image, self.use_sigmoid = classes, per_image, use_sigmoid
        kind = type(self).__name__
        check_classes(classes, f"{kind}.classes")
        if self.sampler is not None and self.sampler.divisor == "all":
            raise UserError(
                f"{kind} is a ratio of regions: it is not divided by a number of pixels",
                where=f"{kind}.sampler.divisor",
                fix="divisor: kept",
            )

    def of_regions(self, regions: Regions) -> torch.Tensor:
        """(N, C): the loss of each image and class."""
        raise NotImplementedError

    def regions(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> Regions:
        """What is compared, of scores (N, K, ...) and a batch as every loss reads it."""
        scoring = self.scoring(logits)
        logits = class_scores(logits)
        classes = chosen_classes(self.classes, logits.shape[1], scoring, f"{type(self).__name__}.classes")
        hinge = logits[:, 1:] if classes == (1,) and scoring == "one channel" else logits[:, :0]
        probability = (logits.sigmoid() if scoring == "sigmoid" else logits.softmax(dim=1))[:, classes]
        truth = distribution(logits, batch, self.ignore_index)[:, classes]
        counted = known_pixels(logits, batch, self.ignore_index)
        if self.sampler is not None:
            with torch.no_grad():
                chance = log_chance(logits, batch, self.ignore_index, scoring)
            counted = self.sampler.kept(chance, -chance, counted)
        weight = self.weights_of(logits)
        found = [item.flatten(2) for item in (probability, truth, counted.unsqueeze(1), hinge)]
        if not self.per_image:
            found = [item.movedim(1, 0).flatten(1).unsqueeze(0) for item in found]
        chosen = None if weight is None else weight[list(classes)]
        return Regions(found[0], found[1], found[2], classes, chosen, found[3] if found[3].shape[1] else None)

    def forward(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        """Scalar loss of scores (N, K, ...) and ``batch["target"]`` (N, ...) int64, or ``soft_target`` (N, K, ...)."""
        regions = self.regions(logits, batch)
        found = self.of_regions(regions)
        used = regions.counted.any(dim=2).expand_as(found)
        if self.classes == "present":
            used = used & ((regions.truth * regions.counted).sum(dim=2) > 0)
        share = used.to(found.dtype) if regions.weight is None else used * regions.weight
        over = share.sum()
        return (found * share).sum() / over.where(over > 0, 1)


def quotient(above: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    """``above / below``; 1 where both are 0: an empty region that was found empty. What is not a number stays so."""
    empty = below <= 0
    return torch.where(empty, 1, above / below.where(~empty, 1))
