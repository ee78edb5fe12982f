"""Adam with weight decay apart from the gradient."""

from __future__ import annotations

import torch

from tricklab.optim.adam import Adam
from tricklab.optim.paramwise import Paramwise
from tricklab.registry import component


@component("optimizer", source="Loshchilov & Hutter, ICLR 2019; torch.optim.AdamW")
class AdamW(Adam):
    """Adam whose weight decay shrinks the weights themselves, by lr times weight_decay a step.

    Args: as of Adam; ``weight_decay`` is 0.01 unless given.
    """

    kind = torch.optim.AdamW

    def __init__(
        self,
        lr: float = 1e-3,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        amsgrad: bool = False,
        decay_norm_and_bias: bool = True,
        custom_keys: dict[str, dict[str, float]] | None = None,
        layer_decay: float | None = None,
        paramwise: Paramwise | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, betas, eps, amsgrad, decay_norm_and_bias, custom_keys, layer_decay)
        self.paramwise = paramwise
