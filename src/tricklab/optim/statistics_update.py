"""Running statistics of batch normalisation, estimated anew for given weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

Norm = nn.modules.batchnorm._BatchNorm


def has_running_statistics(model: nn.Module) -> bool:
    """Whether a model holds batch normalisation with running statistics."""
    return any(isinstance(module, Norm) and module.track_running_stats for module in model.modules())


@torch.no_grad()
def reestimate_statistics(model: nn.Module, batches: Iterable[Any], forward: Callable[[nn.Module, Any], object]) -> int:
    """Replace the running statistics by the plain mean over batches, as ``torch.optim.swa_utils.update_bn``.

    Normalisations that are in evaluation mode in a model that is in training mode are frozen: they keep theirs.

    Args:
        model: gets new running statistics; every module's training mode is restored.
        batches: training batches; several hundred are usually enough.
        forward: runs the model on a batch.

    Returns:
        Number of batches used.
    """
    known = [module for module in model.modules() if isinstance(module, Norm) and module.track_running_stats]
    frozen = [norm for norm in known if model.training and not norm.training]
    norms = [norm for norm in known if norm not in frozen]
    modes = {module: module.training for module in model.modules()}
    momenta = {norm: norm.momentum for norm in norms}
    used = 0
    try:
        model.train()
        for norm in frozen:
            norm.eval()
        for norm in norms:
            norm.reset_running_stats()
            # None: cumulative mean
            norm.momentum = None
        for batch in batches:
            forward(model, batch)
            used += 1
    finally:
        for norm, momentum in momenta.items():
            norm.momentum = momentum
        for module, training in modes.items():
            module.training = training
    return used
