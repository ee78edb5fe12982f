"""Adam with weight decay as an L2 term of the gradient."""

from __future__ import annotations

from typing import Any

import torch

from tricklab.errors import UserError
from tricklab.optim.optimizer import OptimizerRecipe, check_share, on_cpu
from tricklab.optim.paramwise import Paramwise
from tricklab.registry import component


@component("optimizer", source="Kingma & Ba, ICLR 2015; torch.optim.Adam")
class Adam(OptimizerRecipe):
    """Adam: per-parameter steps from running moments of the gradient.

    Args:
        lr: learning rate.
        weight_decay: L2 term added to the gradient (AdamW decays the weights themselves).
        betas: decay rates of the first and second moment.
        eps: added to the root of the second moment.
        amsgrad: divide by the largest second moment so far.
        decay_norm_and_bias: False: no weight decay for parameters of fewer than two dimensions and those that the model
            names by its method ``no_weight_decay``.
        custom_keys: part of a parameter's name -> {lr_mult or lr, decay_mult or weight_decay}.
        layer_decay: the learning rate is multiplied by it once for each layer between a parameter and the head.
        paramwise: factors for biases, normalisations, depthwise convolutions and other kinds: see ``Paramwise``.
    """

    kind: type[torch.optim.Optimizer] = torch.optim.Adam

    def __init__(
        self,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        amsgrad: bool = False,
        decay_norm_and_bias: bool = True,
        custom_keys: dict[str, dict[str, float]] | None = None,
        layer_decay: float | None = None,
        paramwise: Paramwise | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, decay_norm_and_bias, custom_keys, layer_decay)
        self.paramwise = paramwise
        for beta in betas:
            check_share(beta, "optimizer.betas")
        if not eps >= 0:
            raise UserError(f"must not be negative, not {eps}", where="optimizer.eps")
        self.betas, self.eps, self.amsgrad = (betas[0], betas[1]), eps, amsgrad

    def make(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        fused = True if on_cpu(groups) else None
        return self.kind(groups, betas=self.betas, eps=self.eps, amsgrad=self.amsgrad, fused=fused)  # type: ignore[call-arg]
