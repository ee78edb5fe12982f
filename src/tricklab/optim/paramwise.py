"""Rules that give a parameter a learning rate or weight decay of its own, by its name or by what it is.

Names, arguments and meaning are those of OpenMMLab's ``paramwise_cfg`` (mmengine's ``DefaultOptimWrapperConstructor``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

from annotated_types import Ge
from torch import nn

from tricklab.errors import UserError, nearest

Factor = Annotated[float, Ge(0)]
RATE, DECAY = ("lr_mult", "lr"), ("decay_mult", "weight_decay")
_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
_CONVOLUTIONS = nn.modules.conv._ConvNd


@dataclass(frozen=True)
class Paramwise:
    """The recipe's ``optimizer.paramwise``: factors of the learning rate or weight decay of kinds of parameters.

    ``bias_lr_mult``, ``bias_decay_mult``: biases, but those of normalisations and of layers that give the offsets of a
    deformable convolution; the second leaves out depthwise convolutions too. ``norm_decay_mult``: all of a
    normalisation. ``dwconv_decay_mult``: weight and bias of depthwise convolutions. ``flat_decay_mult``: parameters of
    fewer than two dimensions that no rule before it decides. ``dcn_offset_lr_mult``: layers that give offsets.
    ``bypass_duplicate``: a parameter that two names share is treated as its first name says; false: an error where they
    disagree. ``interactions``: see ``Rules``.
    """

    bias_lr_mult: Factor | None = None
    bias_decay_mult: Factor | None = None
    norm_decay_mult: Factor | None = None
    dwconv_decay_mult: Factor | None = None
    flat_decay_mult: Factor | None = None
    dcn_offset_lr_mult: Factor | None = None
    bypass_duplicate: bool = False
    interactions: Literal["ours", "theirs"] = "ours"


@dataclass(frozen=True)
class Kind:
    """What a parameter is, as the rules see it."""

    norm: bool
    depthwise: bool
    offset: bool
    bias: bool
    flat: bool


@dataclass(frozen=True)
class Change:
    """What one rule says: ``rule`` by its place below ``optimizer``, a ``factor`` or, instead, a value as it stands."""

    rule: str
    factor: float
    absolute: bool = False

    def of(self, value: float) -> float:
        """The changed learning rate or weight decay."""
        return self.factor if self.absolute else value * self.factor


class Rules:
    """Which rule decides a parameter's learning rate, and which its weight decay.

    A key of ``custom_keys`` stands before every other rule. With ``interactions: ours`` it decides only what it names:
    ``{backbone: {lr_mult: 0.1}}`` leaves ``norm_decay_mult`` in force, and of several keys in a name the longest *that
    names the rate* decides the rate, likewise the decay. With ``theirs`` the longest key decides both, what it does not
    name is times 1, and no other rule counts (mmengine issue 846). Of equally long keys the first in the alphabet wins.
    Ours refuses what a key says if other keys decide it for every parameter that the key matches.

    Then for the rate: ``dcn_offset_lr_mult``, else ``bias_lr_mult``; for the decay the first of norm, depthwise, bias,
    flat. ``theirs`` asks for biases before depthwise convolutions and, against its documentation, gives a
    normalisation's bias ``bias_decay_mult`` where ``norm_decay_mult`` is not set; it knows no normalisation but torch's
    older ones (no RMSNorm), takes every ``Conv2d`` of as many groups as input channels for depthwise (of one channel
    too, and no Conv1d), and only what is named ``bias`` for a bias. Ours takes ``in_proj_bias``, ``q_bias`` or
    ``relative_position_bias_table`` for biases as well.

    Args:
        model: its parameters' names and modules are looked at.
        custom_keys: part of a name -> ``lr_mult`` or ``lr``, ``decay_mult`` or ``weight_decay``.
        paramwise: the other rules.

    Raises:
        UserError: a key names nothing, something unknown, negative or twice the same.

    >>> rules = Rules(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), None, {"norm_decay_mult": 0.0})
    >>> rules.decay("0.bias"), rules.decay("1.bias").of(5e-4)
    (None, 0.0)
    """

    def __init__(
        self,
        model: nn.Module,
        custom_keys: Mapping[str, Mapping[str, float]] | None,
        paramwise: Paramwise | Mapping[str, Any] | None,
    ) -> None:
        self.keys = {key: _checked(key, found) for key, found in (custom_keys or {}).items()}
        # the order in which keys are asked: long ones first, then the alphabet
        self._asked = sorted(self.keys, key=lambda key: (-len(key), key))
        chosen = paramwise if isinstance(paramwise, Paramwise) else _read(paramwise or {})
        self.theirs, self.bypass_duplicate = chosen.interactions == "theirs", chosen.bypass_duplicate
        self.given: dict[str, float] = {
            rule: value for rule, value in asdict(chosen).items() if rule.endswith("mult") and value is not None
        }
        self.kinds = parameter_kinds(model, theirs=self.theirs)

    def names(self) -> list[str]:
        """Every rule that was given, such as ``paramwise.norm_decay_mult`` and ``custom_keys.head.lr_mult``."""
        keys = [f"custom_keys.{key}.{option}" for key, found in self.keys.items() for option in found]
        return [*keys, *(f"paramwise.{rule}" for rule in self.given)]

    def decaying(self) -> list[str]:
        """The given rules that multiply the weight decay."""
        return [rule for rule in self.names() if rule.endswith("decay_mult")]

    def rate(self, name: str) -> Change | None:
        """What decides the learning rate of a parameter; None: the optimizer's own."""
        found = self._key(name, RATE)
        if found is not None or (self.theirs and self.matching(name)):
            return found
        kind = self.kinds[name]
        if kind.offset:
            return self._rule("dcn_offset_lr_mult")
        return self._rule("bias_lr_mult") if kind.bias and not kind.norm else None

    def decay(self, name: str) -> Change | None:
        """What decides the weight decay of a parameter; None: the optimizer's own."""
        found = self._key(name, DECAY)
        if found is not None or (self.theirs and self.matching(name)):
            return found
        kind = self.kinds[name]
        depthwise = (kind.depthwise, "dwconv_decay_mult")
        bias = (kind.bias and not kind.offset and (self.theirs or not (kind.norm or kind.depthwise)), "bias_decay_mult")
        middle = (bias, depthwise) if self.theirs else (depthwise, bias)
        flat = (kind.flat and not (self.theirs and kind.offset), "flat_decay_mult")
        for applies, rule in ((kind.norm, "norm_decay_mult"), *middle, flat):
            if applies and rule in self.given:
                return self._rule(rule)
        return None

    def unmatched(self, names: list[str]) -> list[str]:
        """Keys that are part of none of the names."""
        return [key for key in self.keys if not any(key in name for name in names)]

    def overruled(self, names: list[str]) -> list[str]:
        """What keys say and no parameter follows, such as ``custom_keys.head.lr_mult``; with ``theirs`` nothing."""
        deciding = {change.rule for name in names for pair in (RATE, DECAY) if (change := self._key(name, pair))}
        said = [rule for rule in self.names() if rule.startswith("custom_keys.")]
        return [] if self.theirs else [rule for rule in said if rule not in deciding]

    def matching(self, name: str) -> list[str]:
        """The keys that are part of a name, in the order in which they are asked."""
        return [key for key in self._asked if key in name]

    def _key(self, name: str, options: tuple[str, str]) -> Change | None:
        matching = self.matching(name)
        for key in matching[:1] if self.theirs else matching:
            for option in options:
                if option in self.keys[key]:
                    absolute = not option.endswith("mult")
                    return Change(f"custom_keys.{key}.{option}", self.keys[key][option], absolute)
        return None

    def _rule(self, rule: str) -> Change | None:
        return Change(f"paramwise.{rule}", self.given[rule]) if rule in self.given else None


def parameter_kinds(model: nn.Module, *, theirs: bool = False) -> dict[str, Kind]:
    """What each parameter is, by every name that it has; ``theirs`` as mmengine's type tests say it."""
    found = {}
    modules = dict(model.named_modules(remove_duplicate=False))
    for prefix, module in modules.items():
        parent = modules.get(prefix.rpartition(".")[0]) if prefix else None
        offset = parent is not None and _gives_offsets(prefix.rpartition(".")[2], module, parent, theirs)
        for own, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            found[f"{prefix}.{own}" if prefix else own] = Kind(
                norm=_is_norm(module, theirs),
                depthwise=_is_depthwise(module, theirs),
                offset=offset,
                bias=own == "bias" if theirs else "bias" in own.split("_"),
                flat=parameter.ndim == 1 if theirs else parameter.ndim < 2,
            )
    return found


def _is_norm(module: nn.Module, theirs: bool) -> bool:
    if isinstance(module, _NORMS):
        return True
    # RMSNorm, timm's and a user's own: named so, with scales and shifts alone
    return not theirs and "norm" in type(module).__name__.lower() and all(p.ndim < 2 for p in module.parameters())


def _is_depthwise(module: nn.Module, theirs: bool) -> bool:
    if theirs:
        return isinstance(module, nn.Conv2d) and module.in_channels == module.groups
    return isinstance(module, _CONVOLUTIONS) and module.in_channels == module.groups > 1


def _gives_offsets(name: str, module: nn.Module, parent: nn.Module, theirs: bool) -> bool:
    if theirs or _is_deformable(parent):
        return _is_deformable(parent) and "offset" in name and isinstance(module, nn.Conv2d)
    return "offset" in name and any(_is_deformable(child) for child in parent.children())


def _is_deformable(module: nn.Module) -> bool:
    return any("DeformConv" in kind.__name__ for kind in type(module).__mro__)


def _read(paramwise: Mapping[str, Any]) -> Paramwise:
    known = [field.name for field in fields(Paramwise)]
    for name, value in paramwise.items():
        if name not in known:
            raise UserError(f"unknown rule {name!r}", where="optimizer.paramwise", fix=nearest(name, known))
        if name.endswith("mult") and value is not None:
            _check_amount(value, f"optimizer.paramwise.{name}")
    return Paramwise(**paramwise)


def _checked(key: str, found: Mapping[str, float]) -> dict[str, float]:
    where, known = f"optimizer.custom_keys.{key}", (*RATE, *DECAY)
    for name, value in found.items():
        if name not in known:
            raise UserError(f"unknown setting {name!r}", where=where, fix=nearest(name, known))
        _check_amount(value, f"{where}.{name}")
    for pair in (RATE, DECAY):
        if set(pair) <= found.keys():
            raise UserError(f"{pair[0]} and {pair[1]} cannot both hold", where=where, fix="give one of them")
    if not found:
        raise UserError("this key changes nothing", where=where, fix=f"give {', '.join(known)}")
    return dict(found)


def _check_amount(value: float, where: str) -> None:
    if not 0 <= value < math.inf:
        raise UserError(f"must not be negative, and a number, not {value}", where=where)
