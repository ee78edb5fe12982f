"""A second classifier for networks of timm, which learns from a teacher; both are averaged where they are evaluated."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab import seeds
from tricklab.errors import UserError


class TwoHeads(nn.Module):
    """A linear classifier and a second one on the same features.

    The first keeps its names, ``weight`` and ``bias``; those of the second begin with ``distillation.``.

    Args:
        main: the classifier that is there; its parameters are taken over.

    Shape:
        (..., features) → while training (..., 2 classes), the second head's scores behind the first's; in evaluation
        the mean of both, (..., classes).
    """

    def __init__(self, main: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = main.weight, main.bias
        with seeds.aside("distillation"):
            self.distillation = nn.Linear(main.in_features, main.out_features, main.bias is not None)

    def forward(self, features: Tensor) -> Tensor:
        main = functional.linear(features, self.weight, self.bias)
        second = self.distillation(features)
        return torch.cat([main, second], dim=-1) if self.training else (main + second) / 2


def add_second_head(model: nn.Module) -> None:
    """Give a model of timm a second head; one that has its own, such as a distilled DeiT, is told to use it.

    Raises:
        UserError: its classifier is not one linear layer.
    """
    named: Any = getattr(model, "default_cfg", {}).get("classifier")
    use_both: Any = getattr(model, "set_distilled_training", None)
    if isinstance(named, list | tuple) and len(named) == 2 and use_both is not None:
        use_both(True)
        return
    main = model.get_submodule(named) if isinstance(named, str) else None
    if not isinstance(main, nn.Linear):
        found = f"{named!r}, a {type(main).__name__}" if main is not None else repr(named)
        raise UserError(
            f"a second head needs one linear classifier; that of {type(model).__name__} is {found}",
            where="model.distillation",
            fix="leave it out and distil into the main output, or take another network",
        )
    model.set_submodule(named, TwoHeads(main))


def split_heads(output: Tensor | tuple[Tensor, Tensor], training: bool, classes: int) -> dict[str, Tensor]:
    """What a model of timm with a second head gives, as named outputs: ``distillation`` only while training."""
    if not training:
        assert isinstance(output, Tensor)
        return {"main": output}
    main, second = output.split(classes, dim=-1) if isinstance(output, Tensor) else output
    return {"main": main, "distillation": second}
