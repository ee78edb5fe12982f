"""What every task gives the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True)
class Evaluation:
    """One pass over a split.

    Attributes:
        split: train, val or test.
        index: which item each row is about, int64 (N,).
        predictions: class numbers, int64 (N,); None where an item has no single class.
        probabilities: float32 (N, K); None for a model without them, or where an item has no single class.
        targets: class numbers, int64 (N,); None where an item has no single class.
        values: metric name to value, such as ``oa``, ``aa``, ``kappa``, ``loss``.
        confusion: int64 (K, K), rows true classes, columns predictions.
        loss: the recipe's loss over the split; None where the model has none.
        facts: what the pass found out, by fact name.
        scoring: what the values depend on and what they leave out; stands beside them in ``result.json``.
        arrays: what else is known of each item, by name, first dimension N; kept in ``scores.npz``.
        unanswered: how many items have probabilities that are no numbers. Where there are any every value is nan, for
            the counts take such items or pixels for the first class.
    """

    split: str
    index: np.ndarray
    predictions: np.ndarray | None
    probabilities: np.ndarray | None
    targets: np.ndarray | None
    values: dict[str, float]
    confusion: np.ndarray
    loss: float | None
    facts: dict[str, Any] = field(default_factory=dict)
    scoring: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    unanswered: int = 0

    def __post_init__(self) -> None:
        if self.unanswered:
            self.values.update(dict.fromkeys(self.values, float("nan")))

    def told_unanswered(self) -> str:
        """Which items have no answer, for a person.

        >>> empty = np.zeros(3, dtype=np.int64)
        >>> Evaluation("val", empty, None, None, None, {"oa": 1.0}, empty, None, unanswered=2).told_unanswered()
        'a probability of 2 of 3 items of the val set'
        """
        return f"a probability of {self.unanswered} of {len(self.index)} items of the {self.split} set"


class Task(Protocol):
    """The engine's view of a task: data, model, losses, evaluation. A task knows nothing of Lightning."""

    classes: tuple[str, ...]
    label_ids: tuple[int, ...]
    fitted: dict[str, Any]
    metrics: tuple[str, ...]

    def prepare(self) -> None:
        """Read the data, draw the split, fit the statistics."""

    def facts(self) -> dict[str, Any]:
        """Facts about the data for probes and rules."""
        ...

    def sizes(self) -> dict[str, int]:
        """Number of items of each split."""
        ...

    def digest(self) -> dict[str, str]:
        """What identifies the data of each split."""
        ...

    def sources(self) -> dict[str, str]:
        """Hashes of what a training learns from beside its data, such as a teacher's weights.

        Only asked where there is something to train: a finished run is scored without them.
        """
        ...

    def build_model(self) -> Any:
        """A fresh model; the same block gives the same initial weights."""
        ...

    def loader(self, split: str) -> Any:
        """Batches of a split."""
        ...

    def forward(self, model: Any, batch: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """A batch through the model: named outputs."""
        ...

    def augment_batch(self, batch: dict[str, Any], epoch: float, micro_batch: int) -> dict[str, Any]:
        """What is done to a whole training batch on its device, such as mixing its images."""
        ...

    def loss(
        self, outputs: Mapping[str, torch.Tensor], batch: Mapping[str, Any]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Weighted total and single terms by name."""
        ...

    def evaluate(
        self, model: nn.Module, split: str, postprocess: Sequence[Mapping[str, Any]] = (), method: str = "windows"
    ) -> Evaluation:
        """Score a model, which must be in evaluation mode, on a split."""
        ...

    def metric_code(self) -> str:
        """Hash of the code that scores: numbers that other code gave are not comparable."""
        ...

    def fit_classical(self, model: Any, seed: int) -> None:
        """Fit a model without gradients on the training items."""

    def evaluate_classical(self, model: Any, split: str) -> Evaluation:
        """Score a fitted model without gradients."""
        ...

    def trivial(self, split: str) -> dict[str, float]:
        """What a predictor scores that looks at nothing."""
        ...
