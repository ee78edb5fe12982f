"""Which parameters an optimizer gets, in which groups, with which learning rate and weight decay."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from torch import nn

from tricklab.errors import UserError, nearest
from tricklab.optim.layer_numbers import layer_numbers
from tricklab.optim.paramwise import Paramwise, Rules


def parameter_groups(
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    decay_norm_and_bias: bool = True,
    layer_decay: float | None = None,
    custom_keys: Mapping[str, Mapping[str, float]] | None = None,
    paramwise: Paramwise | Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Group a model's trainable parameters by learning rate and weight decay, in the order of the model.

    There are as many groups as there are different pairs of the two.

    Args:
        decay_norm_and_bias: False gives no weight decay to every parameter of fewer than two dimensions (biases, norm
            scales) and to those that the model names (``undecayed``), as timm does; the rules below come before it.
        layer_decay: multiplies the learning rate once for each layer between a parameter and the head, as timm and BEiT
            do; layers are those of ``layer_numbers``.
        custom_keys: part of a parameter's name -> ``lr_mult``, which multiplies what ``layer_decay`` gives, or ``lr``,
            which stands as it is; ``decay_mult`` or ``weight_decay``, likewise. The longest key that names the setting
            decides it (``Rules``).
        paramwise: rules for kinds of parameters and how they meet: see ``Paramwise``.

    Returns:
        Groups for a torch optimizer: ``params``, ``lr``, ``initial_lr``, ``weight_decay``, ``names``.

    Raises:
        UserError: nothing can be trained, a key matches or decides nothing, a setting is unknown or negative, a rule
            multiplies a weight decay of 0, layers are to differ in a model of one layer, or a parameter with two names
            is to be treated in two ways.
    """
    rules = Rules(model, custom_keys, paramwise)
    named = [(name, found) for name, found in model.named_parameters(remove_duplicate=False) if found.requires_grad]
    _refuse(rules, [name for name, _ in named], weight_decay)
    exempt = set() if decay_norm_and_bias else undecayed(model)
    rates = layer_rates(model, lr, layer_decay)
    first: dict[int, tuple[str, tuple[float, float]]] = {}
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in named:
        twin = first.get(id(parameter), (name,))[0]
        changed, decayed = rules.rate(name), rules.decay(name)
        spared = twin in exempt and not (rules.theirs and rules.matching(name))
        rate = rates[twin] if changed is None else changed.of(rates[twin])
        decay = decayed.of(weight_decay) if decayed is not None else 0.0 if spared else weight_decay
        if twin != name:
            _agree(rules, name, (rate, decay), *first[id(parameter)])
            continue
        first[id(parameter)] = (name, (rate, decay))
        group = groups.setdefault(
            (rate, decay), {"params": [], "lr": rate, "initial_lr": rate, "weight_decay": decay, "names": []}
        )
        group["params"].append(parameter)
        group["names"].append(name)
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


def describe_rules(
    model: nn.Module, groups: list[dict[str, Any]], optimizer: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The fact ``optimizer/rules``: what each rule of ``custom_keys`` and ``paramwise`` decides in the built groups.

    Args:
        groups: those of the optimizer, with ``names``.
        optimizer: the recipe's section.

    Returns:
        Rule, such as ``custom_keys.head.lr_mult`` -> ``count`` of parameters that it decides, 0 if none; ``parts`` of
        the model that they are in; ``lr`` and ``weight_decay``: the different ones that they have.
    """
    rules = Rules(model, optimizer.get("custom_keys"), optimizer.get("paramwise"))
    found: dict[str, dict[str, Any]] = {
        rule: {"count": 0, "parts": set(), "lr": set(), "weight_decay": set()} for rule in rules.names()
    }
    for group in groups:
        for name in group["names"]:
            for change in (rules.rate(name), rules.decay(name)):
                if change is not None:
                    entry = found[change.rule]
                    entry["count"] += 1
                    entry["parts"].add(name.split(".")[0])
                    entry["lr"].add(group.get("initial_lr", group["lr"]))
                    entry["weight_decay"].add(group["weight_decay"])
    return {
        rule: {key: v if key == "count" else sorted(v) for key, v in entry.items()} for rule, entry in found.items()
    }


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


def _refuse(rules: Rules, names: list[str], weight_decay: float) -> None:
    if not names:
        raise UserError("the model has no parameter that can be trained", where="optimizer")
    for key in rules.unmatched(names):
        raise UserError(
            f"the key {key!r} matches no trainable parameter",
            where=f"optimizer.custom_keys.{key}",
            fix=nearest(key, {part for name in names for part in (name, *name.split("."))}),
        )
    for rule in rules.overruled(names):
        raise UserError(
            "it decides no parameter: wherever the key matches, a longer one or one before it in the alphabet does",
            where=f"optimizer.{rule}",
            fix="leave it out",
        )
    if weight_decay == 0 and (found := rules.decaying()):
        raise UserError(
            "it multiplies a weight decay of 0",
            where=f"optimizer.{found[0]}",
            fix="give optimizer.weight_decay, or leave the rule out",
        )


def _agree(rules: Rules, name: str, settings: tuple[float, float], twin: str, its: tuple[float, float]) -> None:
    """Refuse a shared parameter that its names want treated in two ways, or any where OpenMMLab would fail."""
    if rules.bypass_duplicate or (settings == its and not rules.theirs):
        return
    wanted = " and ".join(f"lr {lr:g}, weight_decay {decay:g}" for lr, decay in (its, settings))
    raise UserError(
        f"{twin} and {name} are one parameter, with {wanted}",
        where="optimizer.paramwise",
        fix=f"bypass_duplicate: true, which treats it as {twin}",
    )
