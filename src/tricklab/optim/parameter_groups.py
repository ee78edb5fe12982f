"""Which parameters an optimizer gets, in which groups, with which learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from tricklab.errors import UserError, nearest

MULTIPLIERS = ("lr_mult", "decay_mult")


def parameter_groups(
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    decay_norm_and_bias: bool = True,
    custom_keys: Mapping[str, Mapping[str, float]] | None = None,
) -> list[dict[str, Any]]:
    """Group a model's trainable parameters by learning rate and weight decay, in the order of the model.

    Args:
        decay_norm_and_bias: False gives every parameter of fewer than two dimensions (biases, norm scales) no weight
            decay, as timm does.
        custom_keys: part of a parameter's name -> ``lr_mult`` and ``decay_mult``, as OpenMMLab's ``paramwise_cfg``: of
            several keys in one name the longest decides, and it overrides ``decay_norm_and_bias``.

    Returns:
        Groups for a torch optimizer: ``params``, ``lr``, ``initial_lr``, ``weight_decay``, ``names``.

    Raises:
        UserError: nothing can be trained, a key matches no parameter, or a multiplier is unknown or negative.
    """
    keys = {key: _multipliers(key, found) for key, found in (custom_keys or {}).items()}
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    if not named:
        raise UserError("the model has no parameter that can be trained", where="optimizer")
    matched: set[str] = set()
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in named:
        found = [key for key in keys if key in name]
        rate, decay = lr, weight_decay
        if found:
            matched.update(found)
            chosen = keys[max(found, key=lambda key: (len(key), key))]
            rate, decay = lr * chosen["lr_mult"], weight_decay * chosen["decay_mult"]
        elif not decay_norm_and_bias and parameter.ndim < 2:
            decay = 0.0
        group = groups.setdefault(
            (rate, decay), {"params": [], "lr": rate, "initial_lr": rate, "weight_decay": decay, "names": []}
        )
        group["params"].append(parameter)
        group["names"].append(name)
    for key in keys:
        if key not in matched:
            raise UserError(
                f"the key {key!r} matches no trainable parameter",
                where=f"optimizer.custom_keys.{key}",
                fix=nearest(key, {part for name, _ in named for part in (name, *name.split("."))}),
            )
    return list(groups.values())


def describe_groups(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fact ``optimizer/groups``: ``count`` of tensors, ``elements``, initial ``lr``, ``weight_decay`` a group."""
    return [
        {
            "count": len(group["params"]),
            "elements": sum(parameter.numel() for parameter in group["params"]),
            "lr": group.get("initial_lr", group["lr"]),
            "weight_decay": group.get("weight_decay", 0.0),
        }
        for group in groups
    ]


def unmatched_parameters(model: nn.Module, groups: list[dict[str, Any]]) -> list[str]:
    """The fact ``optimizer/unmatched``: trainable parameters that are in no group, or in more than one."""
    counts: dict[int, int] = {}
    for group in groups:
        for parameter in group["params"]:
            counts[id(parameter)] = counts.get(id(parameter), 0) + 1
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and counts.get(id(parameter)) != 1
    ]


def _multipliers(key: str, found: Mapping[str, float]) -> dict[str, float]:
    where = f"optimizer.custom_keys.{key}"
    for name, value in found.items():
        if name not in MULTIPLIERS:
            raise UserError(f"unknown multiplier {name!r}", where=where, fix=nearest(name, MULTIPLIERS))
        if value < 0:
            raise UserError(f"{name} must not be negative, not {value}", where=where)
    if not found:
        raise UserError("this key changes nothing", where=where, fix="give lr_mult or decay_mult")
    return {"lr_mult": 1.0, "decay_mult": 1.0, **found}
