"""Several sets of weights evaluated as one module that averages class probabilities."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tricklab.optim.averaging import State
from tricklab.optim.members import ENSEMBLE

_NAME = re.compile(rf"{ENSEMBLE}\.(\d+)\.(.+)")


class Ensemble(nn.Module):
    """Copies of a model whose outputs are the logarithms of their mean probabilities.

    Softmax of an output is the mean of the members' softmax over its class dimension (the second), so that whatever
    reads logits reads the ensemble.

    Args:
        model: what the members are copies of; its weights do not matter.
        members: how many.

    >>> ensemble = Ensemble(nn.Identity(), 2)
    >>> ensemble({"main": torch.tensor([[0.0, 0.0]])})["main"].exp()
    tensor([[0.5000, 0.5000]])
    """

    def __init__(self, model: nn.Module, members: int) -> None:
        super().__init__()
        self.ensemble_members = nn.ModuleList(copy.deepcopy(model) for _ in range(members))

    def forward(self, *inputs: Any, **options: Any) -> dict[str, torch.Tensor]:
        """Named outputs; each log of the mean probability, with the shape of a member's."""
        outputs = [member(*inputs, **options) for member in self.ensemble_members]
        return {name: log_mean_probability([output[name] for output in outputs]) for name in outputs[0]}


def log_mean_probability(logits: list[torch.Tensor]) -> torch.Tensor:
    """Logarithm of the mean of the softmax over dimension 1; all of one shape (N, K, …)."""
    each = torch.stack([one.float().log_softmax(dim=1) for one in logits])
    return each.logsumexp(dim=0) - math.log(len(logits))


def member_count(weights: Mapping[str, torch.Tensor]) -> int:
    """Number of members whose weights these are; 0 for those of a single model."""
    found = [_NAME.fullmatch(name) for name in weights]
    if not all(found):
        return 0
    return 1 + max((int(match.group(1)) for match in found if match), default=-1)


def member_weights(weights: Mapping[str, torch.Tensor]) -> list[State]:
    """The single members' weights under plain names; empty for those of a single model."""
    found: list[State] = [{} for _ in range(member_count(weights))]
    if found:
        for name, tensor in weights.items():
            match = _NAME.fullmatch(name)
            assert match is not None
            found[int(match.group(1))][match.group(2)] = tensor
    return found


def shaped_for(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> nn.Module:
    """The module that can carry weights: the model itself, or an ensemble of copies of it, in the same mode."""
    count = member_count(weights)
    return model if count == 0 else Ensemble(model, count).train(model.training)
