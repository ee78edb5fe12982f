"""What the optimizers share: checks of the rates, parameter groups, and building from a recipe."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tricklab import registry
from tricklab.errors import UserError
from tricklab.optim.parameter_groups import parameter_groups
from tricklab.optim.paramwise import Paramwise


class OptimizerRecipe(abc.ABC):
    """Settings of an optimizer; ``build`` makes the torch optimizer over a model."""

    paramwise: Paramwise | Mapping[str, Any] | None = None

    def __init__(
        self,
        lr: float,
        weight_decay: float,
        decay_norm_and_bias: bool,
        custom_keys: dict[str, dict[str, float]] | None,
        layer_decay: float | None,
    ) -> None:
        if not lr > 0:
            raise UserError(f"the learning rate must be above zero, not {lr}", where="optimizer.lr")
        if not weight_decay >= 0:
            raise UserError(f"weight decay must not be negative, not {weight_decay}", where="optimizer.weight_decay")
        if layer_decay is not None and not 0 < layer_decay < 1:
            raise UserError(
                f"must lie between 0 and 1, not {layer_decay}",
                where="optimizer.layer_decay",
                fix="0.65 to 0.9 for fine-tuning; null gives every layer the same rate",
            )
        self.lr, self.weight_decay, self.layer_decay = lr, weight_decay, layer_decay
        self.decay_norm_and_bias, self.custom_keys = decay_norm_and_bias, custom_keys

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """The torch optimizer over a model's trainable parameters; each group knows its ``initial_lr`` and ``names``.

        Raises:
            UserError: as of ``parameter_groups``.
        """
        groups = parameter_groups(
            model,
            lr=self.lr,
            weight_decay=self.weight_decay,
            decay_norm_and_bias=self.decay_norm_and_bias,
            layer_decay=self.layer_decay,
            custom_keys=self.custom_keys,
            paramwise=self.paramwise,
        )
        return self.make(groups)

    @abc.abstractmethod
    def make(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """The torch optimizer over ready groups."""


def build_optimizer(config: Mapping[str, Any], model: nn.Module) -> torch.optim.Optimizer:
    """The recipe's ``optimizer`` section as a torch optimizer over a model's trainable parameters.

    >>> build_optimizer({"type": "Adam", "lr": 1e-4}, nn.Linear(2, 2)).param_groups[0]["lr"]
    0.0001
    """
    return registry.build("optimizer", config).build(model)


def on_cpu(groups: list[dict[str, Any]]) -> bool:
    """Whether torch's fused kernels are to be used: on CPUs one pass over the weights replaces about ten.

    On GPUs torch's own choice stays, since its fused kernels unscale gradients by themselves, after clipping.
    """
    return all(parameter.device.type == "cpu" for group in groups for parameter in group["params"])


def check_share(value: float, where: str) -> None:
    """Refuse a moving average's coefficient outside [0, 1)."""
    if not 0 <= value < 1:
        raise UserError(f"must lie in [0, 1), not {value}", where=where)
