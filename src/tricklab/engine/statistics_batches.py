"""The batches on which running statistics of averaged weights are estimated, and how a model is run on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tricklab.engine.prepared import Prepared
from tricklab.engine.steps import seed_generators


def statistics_batches(prepared: Prepared) -> Any:
    """The first epoch's batches; the dropout that is drawn on them is the same whenever they are asked for."""
    seed_generators(prepared.seeds.integer("statistics"), prepared.device)
    return prepared.task.loader("train")


def forward_on_device(task: Any) -> Callable[[nn.Module, Any], object]:
    """Runs a model on a batch, which is moved to where the model is."""

    def forward(model: nn.Module, batch: Any) -> object:
        device = next(model.parameters()).device
        moved = {key: value.to(device) if isinstance(value, torch.Tensor) else value for key, value in batch.items()}
        return task.forward(model, moved)

    return forward
