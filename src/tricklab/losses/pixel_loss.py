"""Base of the losses that are a mean over pixels, or over samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from torch import nn

from tricklab import registry
from tricklab.errors import UserError
from tricklab.losses.class_weights import Weighting, check_beta, resolve_weights
from tricklab.losses.soft_targets import over_classes, soft_target_of
from tricklab.losses.targets import NO_LABEL, Scoring, class_scores, known_pixels, log_chance, scoring_of
from tricklab.observe import observe
from tricklab.registry import Kind, component_base


@component_base(given=("class_counts",))
class Loss(nn.Module):
    """What all losses of labels have: an output, a factor, a name, class weights, ignored targets, a sampler.

    Args:
        on: the model's output that it reads: scores (N, K, ...); one channel is the score of class 1 of two.
        weight: factor on this term in the total, above 0.
        class_weight: K weights, ``balanced``, ``inverse``, ``log`` or ``effective`` (see ``class_weights``), or None.
        ignore_index: target that means "no label"; None: as the task has it, else -1.
        beta: of the weights ``effective``.
        sampler: of kind pixel_sampler: which pixels count.
        name: what the term is called; None: by its type and output.
        class_counts: training samples (pixels) a class; None if unknown.
    """

    def __init__(
        self,
        on: str = "main",
        weight: float = 1.0,
        class_weight: list[float] | Weighting | None = None,
        ignore_index: int | None = None,
        beta: float = 0.999,
        sampler: Annotated[dict[str, Any], Kind("pixel_sampler")] | None = None,
        name: str | None = None,
        *,
        class_counts: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        check_beta(beta, f"{kind}.beta")
        self.on, self.weight, self.name = on, weight, name
        self.ignore_index = NO_LABEL if ignore_index is None else ignore_index
        self.class_counts, self.weight_beta = class_counts, beta
        self.sampler: Any = None if sampler is None else registry.build("pixel_sampler", sampler)
        self.class_weight: torch.Tensor | None
        self.register_buffer("class_weight", self.resolved(class_weight, "class_weight"), persistent=False)

    def resolved(self, weights: list[float] | Weighting | None, key: str) -> torch.Tensor | None:
        """What a key of the recipe says about the classes' weights, (K,) float64; None for equal ones."""
        return resolve_weights(weights, self.class_counts, self.weight_beta, f"{type(self).__name__}.{key}")

    def scoring(self, logits: torch.Tensor) -> Scoring:
        """How raw scores become probabilities."""
        return scoring_of(logits, getattr(self, "use_sigmoid", False))

    def weights_of(self, logits: torch.Tensor) -> torch.Tensor | None:
        """The class weights (K,) as the scores' type.

        Raises:
            UserError: the scores have another number of classes.
        """
        if self.class_weight is None:
            return None
        if len(self.class_weight) != logits.shape[1]:
            raise UserError(
                f"{len(self.class_weight)} class weights for scores of {logits.shape[1]} classes",
                where=f"losses, {type(self).__name__}",
            )
        return self.class_weight.to(logits)

    def training_counts(self, classes: int) -> torch.Tensor:
        """Training samples (pixels) a class, (K,) float64; equal ones where they are unknown, 0 of an ignored class."""
        number = torch.tensor([1] * classes if self.class_counts is None else list(self.class_counts))
        return number.double().masked_fill(torch.arange(classes) == self.ignore_index, 0)

    def expected_initial(self, classes: int) -> float | None:
        """The loss of a network that gives all classes the same score; None: it depends on where the classes are."""
        return None


class PixelLoss(Loss):
    """A sum over the labelled pixels by what is said to be the divisor.

    The divisor is the sum of the true classes' weights (``weights``), the number of labelled pixels (``count``) or that
    of all pixels (``all``), and of a sampler's pixels alone unless it says ``divisor: all``. Where nothing counts, the
    loss is 0 with a gradient of 0.

    Observes ``pixels/divided_by``, the divisor as a share of all pixels, of maps where it is a number of pixels.
    """

    divisor: str

    def losses(self, logits: torch.Tensor, batch: Mapping[str, Any], scoring: Scoring) -> torch.Tensor:
        """(N, ...) of class scores, class weights included; 0 if unlabelled."""
        raise NotImplementedError

    def total(self, logits: torch.Tensor, batch: Mapping[str, Any], scoring: Scoring) -> torch.Tensor:
        """The sum of ``losses``."""
        return self.losses(logits, batch, scoring).sum()

    def log_chance(
        self, losses: torch.Tensor, logits: torch.Tensor, batch: Mapping[str, Any], scoring: Scoring
    ) -> torch.Tensor:
        """(N, ...) logarithm of the probability of the true class, for samplers. ``losses`` are those of the pixels."""
        return log_chance(logits, batch, self.ignore_index, scoring)

    def per_pixel(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        """The loss of each pixel (N, ...), class weights included, before any sampler and divisor; 0 if unlabelled."""
        return self.losses(class_scores(logits), batch, self.scoring(logits))

    def forward(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        """Scalar loss of scores (N, K, ...) and ``batch["target"]`` (N, ...) int64, or ``soft_target`` (N, K, ...)."""
        scoring, logits = self.scoring(logits), class_scores(logits)
        counted = self.counted(logits, batch)
        over = counted.sum()
        sampled = self.sampler is not None and self.sampler.divisor == "kept"
        if self.divisor != "weights" and logits.ndim > 2 and not sampled:
            # of maps alone: every label of a batch of whole images counts
            observe("pixels/divided_by", over / counted.numel())
        if self.sampler is None:
            total = self.total(logits, batch, scoring)
        else:
            losses = self.losses(logits, batch, scoring)
            known = known_pixels(logits, batch, self.ignore_index)
            with torch.no_grad():
                chance = self.log_chance(losses, logits, batch, scoring)
            kept = self.sampler.kept(chance, losses.detach(), known)
            total = losses.where(kept, 0).sum()
            over = counted.where(kept, 0).sum() if sampled else over
        return total / over.where(over > 0, 1)

    def counted(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        """(N, ...) what each pixel adds to the divisor. ``logits`` are class scores."""
        soft = soft_target_of(batch, logits)
        if self.divisor == "all":
            return logits.new_ones(logits.shape[:1] + logits.shape[2:])
        weight = self.weights_of(logits) if self.divisor == "weights" else None
        if soft is not None:
            return soft.sum(dim=1) if weight is None else (soft * over_classes(weight, soft)).sum(dim=1)
        target = batch["target"]
        known = target != self.ignore_index
        return known.to(logits.dtype) if weight is None else weight[target.where(known, 0)].where(known, 0)
