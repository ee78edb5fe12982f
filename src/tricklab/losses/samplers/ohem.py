"""Online hard example mining over pixels."""

from __future__ import annotations

import math
from typing import Literal

import torch

from tricklab.errors import UserError
from tricklab.observe import observe
from tricklab.registry import component


@component("pixel_sampler", source="OpenMMLab's OHEMPixelSampler; Shrivastava et al., CVPR 2016; BiSeNet's OhemCELoss")
class OHEMPixelSampler:
    """Count hard pixels only: whose true class is less likely than ``thresh``, and at least ``min_kept`` an image.

    ``min_kept`` times the number of images is the least that is kept of a batch, from whichever images the hardest
    pixels are in; of equally hard ones the first. Where fewer pixels have a label, all of those are kept. Pixels
    without a label never are. Without ``thresh`` exactly that many are kept, by the loss of each pixel, class weights
    included (losses that are no mean over pixels rank them by the cross-entropy). What is not a number is hardest, so
    that it reaches the loss.

    OpenMMLab's keeps pixels below the probability of pixel number ``min_kept``, so that it keeps none where all are
    equally likely, such as 1; it takes softmax for sigmoid losses and fails on one channel; and it divides by the
    number of all pixels (``divisor: all``), so that the loss shrinks with every pixel that is learned.

    Observes ``ohem/kept``, the share of the labelled pixels that is kept.

    Args:
        thresh: probability of the true class below which a pixel is kept in any case, in (0, 1]; None for none.
        min_kept: how many pixels of an image, on the average, are kept at least.
        divisor: ``kept``: the loss is a mean over what is kept; ``all``: its sum is divided as without a sampler.
        per: ``image``, or ``batch`` where ``min_kept`` is a number for the whole batch.

    >>> log_chance = torch.tensor([[0.9, 0.2, 0.8, 0.6]]).log()
    >>> sampler = OHEMPixelSampler(thresh=0.7, min_kept=1)
    >>> sampler.kept(log_chance, -log_chance, torch.ones(1, 4, dtype=torch.bool)).tolist()
    [[False, True, False, True]]
    """

    def __init__(
        self,
        thresh: float | None = None,
        min_kept: int = 100000,
        divisor: Literal["kept", "all"] = "kept",
        per: Literal["image", "batch"] = "image",
    ) -> None:
        if thresh is not None and not 0 < thresh <= 1:
            raise UserError(f"must lie in (0, 1], not {thresh}", where="OHEMPixelSampler.thresh")
        if min_kept < 0 or (min_kept == 0 and thresh is None):
            raise UserError(f"must be above 0, not {min_kept}", where="OHEMPixelSampler.min_kept")
        self.thresh, self.min_kept, self.divisor, self.per = thresh, min_kept, divisor, per

    @torch.no_grad()
    def kept(self, log_chance: torch.Tensor, loss: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Bool (N, ...): the pixels that count.

        Args:
            log_chance: (N, ...) logarithm of the probability of each pixel's true class.
            loss: (N, ...) of each pixel.
            known: bool (N, ...), whether a pixel has a label.
        """
        hardness = loss if self.thresh is None else -log_chance
        # what is not a number would be neither above nor below the others, and a broken network's loss 0
        hardness = hardness.masked_fill(hardness.isnan(), math.inf)
        # minus infinity is less hard than anything, so that a number of labelled pixels need not be waited for
        hardness = hardness.masked_fill(~known, -math.inf)
        found = self._hardest(hardness, self.min_kept * (len(known) if self.per == "image" else 1))
        if self.thresh is not None:
            found = found | (hardness > -math.log(self.thresh))
        found = found & known
        observe("ohem/kept", found.sum() / known.sum().clamp(min=1))
        return found

    @staticmethod
    def _hardest(hardness: torch.Tensor, number: int) -> torch.Tensor:
        """Bool: the ``number`` largest; of equal ones the first."""
        number = min(number, hardness.numel())
        if not number:
            return torch.zeros_like(hardness, dtype=torch.bool)
        flat = hardness.flatten()
        least = flat.kthvalue(flat.numel() - number + 1).values
        above, equal = flat > least, flat == least
        return (above | (equal & (equal.cumsum(0) <= number - above.sum()))).view_as(hardness)
