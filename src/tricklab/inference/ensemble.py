"""Several networks, or several sets of weights of one, evaluated as one module."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.inference.mask_scores import as_logits, log_probabilities
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


class ModelEnsemble(nn.Module):
    """Networks of any kind with the same classes, whose outputs are averaged.

    An output that not all of them give is left out.

    Args:
        models: each gives named logits (N, K, …) for the same inputs.
        average: ``probabilities``: outputs are logarithms of the mean probabilities; ``logits``: means of the logits,
            whose softmax is the normalised geometric mean of the probabilities.
        weights: of each network in the mean, above 0; all alike if not given.

    Raises:
        UserError: no network, or weights that do not fit.

    >>> both = ModelEnsemble([nn.Identity(), nn.Identity()], "logits", weights=[3, 1])
    >>> both({"main": torch.tensor([[1.0, 2.0]])})["main"]
    tensor([[1., 2.]])
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        average: Literal["probabilities", "logits"] = "probabilities",
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        shares = [1.0] * len(models) if weights is None else list(weights)
        if not models or len(shares) != len(models) or not min(shares) > 0:
            raise UserError(
                f"{len(models)} networks with the weights {shares}", where="ensemble", fix="one above 0 each"
            )
        self.models, self.average = nn.ModuleList(models), average
        self.shares = [share / sum(shares) for share in shares]

    def forward(self, *inputs: Any, **options: Any) -> dict[str, torch.Tensor]:
        """Named outputs, each with the shape of a network's.

        Raises:
            UserError: networks of different numbers of classes or sizes.
        """
        outputs = [model(*inputs, **options) for model in self.models]
        names = [name for name in outputs[0] if all(name in output for output in outputs)]
        return {name: self._mean([output[name] for output in outputs]) for name in names}

    def _mean(self, logits: list[torch.Tensor]) -> torch.Tensor:
        shapes = sorted({tuple(one.shape) for one in logits})
        if len(shapes) > 1:
            raise UserError(
                f"networks answer with {shapes[0]} and {shapes[1]}",
                where="ensemble",
                fix="the same classes, in as many channels",
            )
        if self.average == "logits":
            return torch.stack([share * one.float() for share, one in zip(self.shares, logits, strict=True)]).sum(dim=0)
        return log_mean_probability(logits, self.shares)


def log_mean_probability(logits: list[torch.Tensor], shares: Sequence[float] | None = None) -> torch.Tensor:
    """Logarithm of the mean of the softmax over dimension 1; all of one shape (N, K, …).

    Logits of one channel, whose sigmoid is class 1, give the log-odds of their mean sigmoid.

    Args:
        shares: of each in the mean, summing to 1; all alike if not given.
    """
    each = torch.stack([log_probabilities(one) for one in logits])
    if shares is None:
        mean = each.logsumexp(dim=0) - math.log(len(logits))
    else:
        mean = (each + each.new_tensor(shares).log().view(-1, *[1] * (each.ndim - 1))).logsumexp(dim=0)
    return as_logits(mean, logits[0].shape[1])


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
