"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import torch

from tricklab.errors import UserError
from tricklab.optim.optimizer import OptimizerRecipe, check_share
from tricklab.optim.paramwise import Paramwise
from tricklab.registry import component


@component("optimizer", source="Sutskever et al., ICML 2013 (momentum); torch.optim.SGD")
class SGD(OptimizerRecipe):
    """Gradient descent with momentum.

    Args:
        lr: learning rate.
        weight_decay: L2 term added to the gradient.
        momentum: share of the last step that is kept.
        dampening: share of the gradient that momentum leaves out.
        nesterov: look ahead along the momentum; needs momentum and no dampening.
        decay_norm_and_bias: False: no weight decay for parameters of fewer than two dimensions and those that the model
            names by its method ``no_weight_decay``.
        custom_keys: part of a parameter's name -> {lr_mult or lr, decay_mult or weight_decay}.
        layer_decay: the learning rate is multiplied by it once for each layer between a parameter and the head.
        paramwise: factors for biases, normalisations, depthwise convolutions and other kinds: see ``Paramwise``.
    """

    def __init__(
        self,
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        decay_norm_and_bias: bool = True,
        custom_keys: dict[str, dict[str, float]] | None = None,
        layer_decay: float | None = None,
        paramwise: Paramwise | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, decay_norm_and_bias, custom_keys, layer_decay)
        self.paramwise = paramwise
        check_share(momentum, "optimizer.momentum")
        if nesterov and (momentum == 0 or dampening != 0):
            raise UserError(
                "Nesterov's step needs momentum above zero and no dampening",
                where="optimizer.nesterov",
                fix="set momentum=0.9 and dampening=0",
            )
        self.momentum, self.dampening, self.nesterov = momentum, dampening, nesterov

    def make(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups, momentum=self.momentum, dampening=self.dampening, nesterov=self.nesterov)
