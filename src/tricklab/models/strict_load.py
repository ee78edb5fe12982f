"""Weights into a model, every key accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tricklab.errors import UserError


def strict_load(model: nn.Module, weights: Mapping[str, torch.Tensor], where: str) -> dict[str, Any]:
    """Load weights, every key accounted for: ``missing``, ``unexpected``, number ``loaded``.

    Raises:
        UserError: keys or shapes do not fit; names the first of them.
    """
    own = model.state_dict()
    missing, unexpected = sorted(set(own) - set(weights)), sorted(set(weights) - set(own))
    if missing or unexpected:
        raise UserError(
            f"the weights do not fit the model: {len(missing)} keys missing (first: {missing[:1]}), "
            f"{len(unexpected)} unexpected (first: {unexpected[:1]})",
            where=where,
            fix="evaluate with the recipe that stands beside the weights",
        )
    shapes = [name for name in own if own[name].shape != weights[name].shape]
    if shapes:
        raise UserError(
            f"{shapes[0]} has shape {tuple(weights[shapes[0]].shape)}, the model needs {tuple(own[shapes[0]].shape)}",
            where=where,
        )
    model.load_state_dict(weights, strict=True)
    return {"missing": missing, "unexpected": unexpected, "loaded": len(own)}
