"""Branches that are left out at random while training: which a model has, and one draw for a whole batch."""

from __future__ import annotations

from typing import Any

from timm.layers import DropPath
from torch import nn
from torchvision.ops import StochasticDepth

from tricklab.errors import UserError


def drop_paths(model: nn.Module) -> dict[str, dict[str, Any]]:
    """Modules that leave out a branch: name -> its chance ``p`` and ``per``, ``image`` or ``batch``.

    Known are timm's ``DropPath`` and torchvision's ``StochasticDepth``; timm's models have none where the chance is 0.

    >>> drop_paths(nn.Sequential(nn.Identity(), StochasticDepth(0.1, "row")))
    {'1': {'p': 0.1, 'per': 'image'}}
    """
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, DropPath):
            found[name] = {"p": module.drop_prob, "per": "image"}
        elif isinstance(module, StochasticDepth):
            found[name] = {"p": module.p, "per": "image" if module.mode == "row" else "batch"}
    return found


def draw_once_a_batch(model: nn.Module) -> None:
    """Let each branch be left out for all images of a batch or for none, as in the first paper on stochastic depth.

    What is kept is divided by its chance while training; the paper multiplies by it in evaluation instead, which has
    the same mean.

    Source: Huang et al., ECCV 2016, arXiv 1603.09382.

    Raises:
        UserError: the model leaves out nothing.
    """
    known = drop_paths(model)
    if not any(one["p"] > 0 for one in known.values()):
        raise UserError(
            f"{type(model).__name__} has no branch that is left out at random",
            where="train.drop_path_per",
            fix="set model.drop_path above zero, or take a model with residual branches",
        )
    for name, one in known.items():
        module = model.get_submodule(name)
        if isinstance(module, StochasticDepth):
            module.mode = "batch"
        else:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, StochasticDepth(one["p"], "batch").train(module.training))
