"""Which parameters an optimizer gets, in which groups, with which learning rate and weight decay."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from torch import nn

from tricklab.errors import UserError, nearest
from tricklab.optim.layer_numbers import layer_numbers

MULTIPLIERS = ("lr_mult", "decay_mult")


def parameter_groups(
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    decay_norm_and_bias: bool = True,
    layer_decay: float | None = None,
    custom_keys: Mapping[str, Mapping[str, float]] | None = None,
) -> list[dict[str, Any]]:
    """Group a model's trainable parameters by learning rate and weight decay, in the order of the model.

    There are as many groups as there are different pairs of the two.

    Args:
        decay_norm_and_bias: False gives no weight decay to every parameter of fewer than two dimensions (biases, norm
            scales) and to those that the model names (``undecayed``), as timm does.
        layer_decay: multiplies the learning rate once for each layer between a parameter and the head, as timm and BEiT
            do; layers are those of ``layer_numbers``.
        custom_keys: part of a parameter's name -> ``lr_mult`` and ``decay_mult``, as OpenMMLab's ``paramwise_cfg``: of
            several keys in one name the longest decides. Its ``lr_mult`` multiplies what ``layer_decay`` gives; its
            ``decay_mult``, 1 unless given, overrides ``decay_norm_and_bias``.

    Returns:
        Groups for a torch optimizer: ``params``, ``lr``, ``initial_lr``, ``weight_decay``, ``names``.

    Raises:
        UserError: nothing can be trained, a key matches no parameter, a multiplier is unknown or negative, or layers
            are to differ in a model of one layer.
    """
    keys = {key: _multipliers(key, found) for key, found in (custom_keys or {}).items()}
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    if not named:
        raise UserError("the model has no parameter that can be trained", where="optimizer")
    exempt = set() if decay_norm_and_bias else undecayed(model)
    rates = layer_rates(model, lr, layer_decay)
    matched: set[str] = set()
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in named:
        found = [key for key in keys if key in name]
        rate, decay = rates[name], weight_decay
        if found:
            matched.update(found)
            chosen = keys[max(found, key=lambda key: (len(key), key))]
            rate, decay = rate * chosen["lr_mult"], weight_decay * chosen["decay_mult"]
        elif name in exempt:
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


def undecayed(model: nn.Module) -> set[str]:
    """Parameters that ``decay_norm_and_bias: false`` spares: those of fewer than two dimensions and the model's own.

    The model's own are what ``no_weight_decay()`` of the model, or of any module in it, returns: names below that
    module, or patterns with ``*`` and ``?``.
    """
    named = dict(model.named_parameters())
    found = {name for name, parameter in named.items() if parameter.ndim < 2}
    for prefix, module in model.named_modules():
        if not callable(says := getattr(module, "no_weight_decay", None)):
            continue
        for pattern in says():
            full = f"{prefix}.{pattern}" if prefix else pattern
            found.update([full] if full in named else fnmatch.filter(named, full))
    return found


def layer_rates(model: nn.Module, lr: float, layer_decay: float | None) -> dict[str, float]:
    """The learning rate of each parameter before ``custom_keys``: ``lr * layer_decay ** (layers above it)``.

    Raises:
        UserError: the model has one layer, so that nothing would differ.
    """
    if layer_decay is None:
        return {name: lr for name, _ in model.named_parameters()}
    numbers = layer_numbers(model)
    last = max(numbers.values())
    if last == 0:
        raise UserError(
            f"{type(model).__name__} is one layer: every parameter would have the same learning rate",
            where="optimizer.layer_decay",
            fix="leave it out, or give the model timm's method group_matcher",
        )
    return {name: lr * layer_decay ** (last - number) for name, number in numbers.items()}


def describe_layers(model: nn.Module, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fact ``optimizer/layers``: each layer's ``first`` trainable parameter, their ``count`` and highest ``lr``."""
    rates = {name: group.get("initial_lr", group["lr"]) for group in groups for name in group["names"]}
    layers: dict[int, list[str]] = {}
    for name, number in layer_numbers(model).items():
        if name in rates:
            layers.setdefault(number, []).append(name)
    return [
        {"layer": number, "first": names[0], "count": len(names), "lr": max(rates[name] for name in names)}
        for number, names in sorted(layers.items())
    ]


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
