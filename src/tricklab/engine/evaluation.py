"""Evaluation that is one: every module in evaluation mode, the same answer twice, raw and averaged weights."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tricklab.engine.averagings import State, carrying
from tricklab.tasks.base import Evaluation, Task


@dataclass(frozen=True)
class Scored:
    """Evaluations of one model: with the raw weights and, where there is an average, with the averaged ones."""

    raw: Evaluation
    averaged: Evaluation | None
    training_modules: tuple[str, ...]

    def chosen(self, weights: str) -> Evaluation:
        """The evaluation that counts: of the ``last`` weights or of the ``average``."""
        if weights == "average":
            assert self.averaged is not None
            return self.averaged
        return self.raw

    def row(self) -> dict[str, float]:
        """Values under ``<split>/<name>``, averaged ones under ``<split>/averaged_<name>``."""
        found = {f"{self.raw.split}/{name}": value for name, value in self.raw.values.items()}
        if self.averaged is not None:
            found |= {f"{self.raw.split}/averaged_{name}": value for name, value in self.averaged.values.items()}
        return found


def score(
    task: Task,
    model: nn.Module,
    split: str,
    postprocess: Sequence[Mapping[str, Any]],
    method: str,
    averaged: State | None,
) -> Scored:
    """Evaluate a model in float32, with its own and, if given, with averaged weights; it is left as it was."""
    if any(p.dtype in (torch.float16, torch.bfloat16, torch.float64) for p in model.parameters()):
        model = copy.deepcopy(model).float()
    with evaluating(model) as left:
        raw = task.evaluate(model, split, postprocess, method)
        other = None
        if averaged is not None:
            with carrying(model, averaged) as other_model:
                other = task.evaluate(other_model, split, postprocess, method)
    return Scored(raw, other, left)


def repeat_difference(task: Task, model: nn.Module, split: str) -> float:
    """Largest difference of the outputs when the first batch of a split goes through the same weights twice."""
    device = next(model.parameters()).device
    batch = next(iter(task.loader(split)))
    batch = {key: value.to(device) if isinstance(value, torch.Tensor) else value for key, value in batch.items()}
    with evaluating(model), torch.inference_mode():
        first, second = (task.forward(model, batch) for _ in range(2))
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[tuple[str, ...]]:
    """Put every module into evaluation mode for the block and each back into the mode it had.

    Yields:
        Names of the modules that stayed in training mode, which a module can do by overriding ``train``.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    left = tuple(name or type(module).__name__ for name, module in model.named_modules() if module.training)
    try:
        yield left
    finally:
        for module, mode in modes.items():
            module.training = mode
