"""Learning from a teacher's scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.observe import observe
from tricklab.registry import Kind, component


@component("loss", source="Hinton et al. 2015, arXiv 1503.02531 (soft); Touvron et al., ICML 2021, equations 2 and 3")
class DistillationLoss(nn.Module):
    """Distance of the scores from those that a teacher gives the same, possibly mixed, images.

    ``soft``: T² KL(softmax(teacher / T) ‖ softmax(scores / T)); T² keeps the gradient's size as T grows. The sum over
    the batch is divided by the number of images (``divisor: count``, the Kullback-Leibler divergence of an image), or
    by the number of scores (``divisor: scores``, as DeiT's code does, which makes it K times smaller).
    ``hard``: the mean cross-entropy to the class that the teacher scores highest; the first of equal ones.

    Labels are not read, so images without one count too. The term exists in training only, since the teacher is asked
    there alone: it is no part of an evaluation's loss. Half-precision scores are computed in float32.

    Observes ``distill/agreement``, the share of the images that both put into the same class, and
    ``distill/teacher_confidence``, the mean of the teacher's largest probability.

    Args:
        teacher: who teaches: ``{type: FinishedRun, folder: …}`` or ``{type: Network, model: …}``.
        on: the model's output that it reads: scores (N, K).
        weight: factor on this term in the total.
        mode: what of the teacher's scores is learned.
        temperature: T of ``soft``, above 0; ``hard`` has none.
        divisor: of ``soft``: what the sum over the batch is divided by.
        name: what the term is called; None: by its type and output.

    Raises:
        UserError: a temperature of 0 or below; one, or a divisor, that ``hard`` would not use.
    """

    training_only: ClassVar[bool] = True

    def __init__(
        self,
        teacher: Annotated[dict[str, Any], Kind("teacher")],
        on: str = "main",
        weight: float = 1.0,
        mode: Literal["soft", "hard"] = "soft",
        temperature: float = 1.0,
        divisor: Literal["count", "scores"] = "count",
        name: str | None = None,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise UserError(f"must be above 0, not {temperature}", where="DistillationLoss.temperature")
        for key, value, default in (("temperature", temperature, 1.0), ("divisor", divisor, "count")):
            if mode == "hard" and value != default:
                raise UserError(f"does nothing in mode hard: {value}", where=f"DistillationLoss.{key}", fix="mode soft")
        self.on, self.weight, self.name, self.teacher = on, weight, name, dict(teacher)
        self.mode, self.temperature, self.divisor = mode, temperature, divisor

    @property
    def teacher_key(self) -> str:
        """What its teacher's scores are called in a batch; terms with the same teacher share them."""
        text = json.dumps(self.teacher, sort_keys=True)
        return f"teacher/{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"

    def forward(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        """Scalar loss of scores (N, K) and the teacher's, ``batch[teacher_key]`` (N, K).

        Raises:
            UserError: the batch has no scores of this teacher, or those of another number of classes.
        """
        taught = batch.get(self.teacher_key)
        if taught is None:
            raise UserError("nobody asked the teacher about this batch", where="losses", fix="task: classification")
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        taught = taught.detach().to(logits)
        if taught.shape != logits.shape:
            raise UserError(
                f"the teacher gives scores {tuple(taught.shape)}, the output {self.on!r} {tuple(logits.shape)}",
                where="losses",
            )
        with torch.no_grad():
            observe("distill/agreement", (logits.argmax(dim=1) == taught.argmax(dim=1)).float())
            observe("distill/teacher_confidence", taught.softmax(dim=1).amax(dim=1))
        if self.mode == "hard":
            return functional.cross_entropy(logits, taught.argmax(dim=1))
        student = functional.log_softmax(logits / self.temperature, dim=1)
        wanted = functional.log_softmax(taught / self.temperature, dim=1)
        total = functional.kl_div(student, wanted, reduction="sum", log_target=True)
        return total * self.temperature**2 / (len(logits) if self.divisor == "count" else logits.numel())

    def expected_initial(self, classes: int) -> float | None:
        """The loss of equal scores: log K for ``hard``; that of ``soft`` depends on the teacher: None."""
        return float(torch.tensor(float(classes), dtype=torch.float64).log()) if self.mode == "hard" else None
