"""What every task with one class per item has in common: losses, counts and facts."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from tricklab import registry
from tricklab.data.loaders import make_loader
from tricklab.errors import UserError
from tricklab.inference.mask_scores import answered
from tricklab.inference.postprocess import check_postprocess
from tricklab.losses import Losses
from tricklab.metrics import confusion_matrix, metric_code
from tricklab.recipe.schema import Settings
from tricklab.seeds import Seeds
from tricklab.tasks.base import Evaluation
from tricklab.tasks.networks import build_with_inserts

_CHUNK = 4096


class OneLabelTask(abc.ABC):
    """Base of the tasks whose items have one class each.

    Args:
        settings: the resolved recipe.
        seeds: the block's streams.
    """

    fold: Any
    losses: Losses
    metrics: ClassVar[tuple[str, ...]]
    has_teachers: ClassVar[bool] = False
    items: ClassVar[Literal["scenes", "images"]]

    def __init__(self, *, settings: Settings, seeds: Seeds) -> None:
        self.settings, self.seeds = settings, seeds

    def prepare(self) -> None:
        """Read the data, draw the split, fit what is fitted, build the losses.

        Raises:
            UserError: the data or the options cannot work.
        """
        if self.settings.evaluate.boundary_tolerance is not None:
            raise UserError(
                f"{self.items} with one class an item have no outlines", where="evaluate.boundary_tolerance"
            )
        check_postprocess(self.settings.evaluate.postprocess, self.items)
        self.fold = self.data().prepare(self.seeds)
        self.losses = Losses(self.settings.losses, self.class_counts("train"))
        if self.losses.teachers and not self.has_teachers:
            raise UserError(f"in the task {self.settings.task} nobody can be asked for scores", where="losses, teacher")

    def data(self) -> Any:
        """The recipe's data, not read yet."""
        return registry.build("data", {"type": self.settings.task, **self.settings.data})

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names."""
        found: tuple[str, ...] = self.fold.classes
        return found

    @property
    def label_ids(self) -> tuple[int, ...]:
        """The label id in the files of each class."""
        found: tuple[int, ...] = self.fold.label_ids
        return found

    @property
    def fitted(self) -> dict[str, Any]:
        """What was learned from data beside the weights."""
        found: dict[str, Any] = self.fold.fitted
        return found

    def sizes(self) -> dict[str, int]:
        """Number of items of each split."""
        return {split: len(found) for split, found in self.fold.targets.items()}

    def digest(self) -> dict[str, str]:
        """What identifies each split's values and labels."""
        found: dict[str, str] = self.fold.digest
        return found

    def sources(self) -> dict[str, str]:
        """Hashes of what a training learns from beside its data, such as a teacher's weights; nothing here."""
        return {}

    def metric_code(self) -> str:
        """Hash of the code that scores."""
        return metric_code()

    def class_counts(self, split: str) -> list[int]:
        """Items of each class in a split."""
        return np.bincount(self.fold.targets[split].numpy(), minlength=len(self.classes)).tolist()

    def facts(self) -> dict[str, Any]:
        """Facts about the data and the losses, by their recorded names."""
        return {
            **self.fold.facts,
            "data/epoch_class_counts": self._drawn_counts(),
            "loss/class_weights": {name: _plain(term) for name, term in self._terms()},
            "loss/perfect": self._perfect_losses(),
            "loss/expected_initial": self.expected_initial_loss(),
        }

    def build_with_inserts(self, **given: Any) -> Any:
        """The recipe's model with its inserted blocks; the same block gives the same initial weights."""
        return build_with_inserts(self.settings, self.seeds, len(self.classes), **given)

    def expected_initial_loss(self) -> float | None:
        """The loss of a model that gives every class the same score; None where a term cannot say its own."""
        return self.losses.expected_initial(len(self.classes))

    @abc.abstractmethod
    def measures(self, confusion: np.ndarray) -> dict[str, float]:
        """Metrics that a confusion matrix (K, K) holds."""

    @abc.abstractmethod
    def values(self, model: Any, split: str, chosen: slice) -> np.ndarray:
        """What a model without gradients reads of some items of a split, unaugmented: float32 (N, channels, H, W)."""

    def scores(self, probabilities: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Metrics that need probabilities (N, K); none here."""
        return {}

    def loader(self, split: str) -> Any:
        """Batches of a split; those of ``train`` are drawn by the recipe's sampler and augmented."""
        train = split == "train"
        size = self.settings.train.batch_size if train else self.settings.evaluate.batch_size
        workers = self.settings.train.workers if train else 0
        return make_loader(self.fold, split, size, self.seeds, workers, train=train)

    def forward(self, model: Any, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """A batch through the model: named outputs."""
        found: dict[str, Tensor] = model(batch["image"])
        return found

    def augment_batch(self, batch: dict[str, Any], epoch: float, micro_batch: int) -> dict[str, Any]:
        """What is done to a whole training batch on its device; nothing here."""
        return batch

    def loss(self, outputs: Any, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted total and its terms by name."""
        found: tuple[Tensor, dict[str, Tensor]] = self.losses(outputs, batch)
        return found

    def evaluation(
        self, split: str, logits: Tensor, facts: Mapping[str, Any], others: Mapping[str, Tensor] | None = None
    ) -> Evaluation:
        """The evaluation of scores for every item of a split, in the fold's order.

        The loss is that of the terms that exist outside training; the fact ``evaluate/loss_terms`` names them.

        Args:
            logits: (N, K), of the output ``main``.
            others: further outputs that losses read, by name, first dimension N.

        Raises:
            UserError: the loss is the declared metric, and no term exists outside training.
        """
        outputs = {"main": logits, **(others or {})}
        names = self.losses.evaluated(outputs)
        left_out = [name for name in self.losses.names if name not in names]
        loss = None
        if names:
            loss = float(self.losses(outputs, {"target": self.fold.targets[split]}, names)[0])
        elif self.settings.metric.monitor.endswith("/loss"):
            raise UserError("no loss exists outside training", where="metric.monitor", fix="take another metric")
        known = {**facts, "evaluate/loss_terms": {"scored": names, "left_out": left_out}}
        probabilities = torch.softmax(logits, dim=1).numpy()
        unanswered = int((~answered(logits)).sum())
        return self._evaluation(split, logits.argmax(dim=1).numpy(), probabilities, loss, known, unanswered)

    def fit_classical(self, model: Any, seed: int) -> None:
        """Fit a model without gradients on the training items, unaugmented.

        Raises:
            UserError: the model cannot be fitted on them.
        """
        model.fit(self.values(model, "train", slice(None)), self.fold.targets["train"].numpy(), seed)

    def evaluate_classical(self, model: Any, split: str) -> Evaluation:
        """Score a fitted model without gradients; it has neither probabilities nor a loss."""
        self.require(split)
        count = len(self.fold.targets[split])
        chunks = (slice(start, start + _CHUNK) for start in range(0, count, _CHUNK))
        found = np.concatenate([model.predict_scores(self.values(model, split, chunk)) for chunk in chunks])
        return self._evaluation(split, found.argmax(axis=1), None, None, {})

    def trivial(self, split: str) -> dict[str, float]:
        """What always answering the training set's commonest class scores on a split."""
        counts = np.array(self.class_counts(split))
        confusion = np.zeros((len(counts), len(counts)), dtype=np.int64)
        confusion[:, int(np.argmax(self.class_counts("train")))] = counts
        return self.measures(confusion)

    def require(self, split: str) -> None:
        """Refuse a split without items."""
        if not len(self.fold.targets[split]):
            raise UserError(
                f"the {split} set is empty",
                where="data.split",
                fix=f"give {split} a share, or let metric.monitor name the other set",
            )

    def _evaluation(
        self,
        split: str,
        predictions: np.ndarray,
        probabilities: np.ndarray | None,
        loss: float | None,
        facts: Mapping[str, Any],
        unanswered: int = 0,
    ) -> Evaluation:
        targets = self.fold.targets[split].numpy()
        confusion = confusion_matrix(targets, predictions, len(self.classes))
        values = self.measures(confusion)
        if probabilities is not None and not unanswered:
            values |= self.scores(probabilities, targets)
        if loss is not None:
            values["loss"] = loss
        index = np.arange(len(targets))
        return Evaluation(
            split,
            index,
            predictions,
            probabilities,
            targets,
            values,
            confusion,
            loss,
            dict(facts),
            unanswered=unanswered,
        )

    def _terms(self) -> list[tuple[str, Any]]:
        return list(zip(self.losses.names, self.losses.terms, strict=True))

    def _first_order(self) -> np.ndarray:
        """Items that the sampler draws in the first epoch, in order."""
        found: np.ndarray = self.fold.sampler.order(self.fold.targets["train"].numpy(), 0, self.seeds)[0]
        return found

    def _drawn_counts(self) -> list[int]:
        drawn = self.fold.targets["train"].numpy()[self._first_order()]
        return np.bincount(drawn, minlength=len(self.classes)).tolist()

    def _perfect_losses(self) -> dict[str, float]:
        """Each term that reads labels on the first batch's, with logits that are 10 at the target and 0 elsewhere."""
        first = torch.from_numpy(self._first_order()[: self.settings.train.batch_size])
        target = self.fold.targets["train"][first]
        logits = 10.0 * nn.functional.one_hot(target, len(self.classes)).float()
        terms = [(name, term) for name, term in self._terms() if not getattr(term, "training_only", False)]
        return {name: float(term(logits, {"target": target})) for name, term in terms}


def _plain(term: Any) -> list[float] | None:
    weight = getattr(term, "class_weight", None)
    return None if weight is None else weight.tolist()
