"""Normalisations and activations by OpenMMLab's configs, ``{type: BN}`` and ``{type: ReLU}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from tricklab.errors import UserError, nearest
from tricklab.layers.batch_of_one import guard_batches_of_one

BATCH_NORM: dict[str, Any] = {"type": "BN"}
RELU: dict[str, Any] = {"type": "ReLU"}
_NORMS = {"BN": "bn", "SyncBN": "bn", "GN": "gn", "IN": "in"}
_NORM_KEYS = {
    "BN": {"eps", "momentum", "requires_grad"},
    "SyncBN": {"eps", "momentum", "requires_grad"},
    "GN": {"eps", "num_groups", "requires_grad"},
    "IN": {"eps", "momentum", "affine", "requires_grad"},
}
_ACTIVATIONS: dict[str, tuple[type[nn.Module], set[str]]] = {
    "ReLU": (nn.ReLU, set()),
    "LeakyReLU": (nn.LeakyReLU, {"negative_slope"}),
    "PReLU": (nn.PReLU, {"num_parameters", "init"}),
    "GELU": (nn.GELU, set()),
    "SiLU": (nn.SiLU, set()),
    "Hardswish": (nn.Hardswish, set()),
}
_IN_PLACE = ("ReLU", "LeakyReLU", "SiLU", "Hardswish")


def norm_name(config: Mapping[str, Any]) -> str:
    """What OpenMMLab calls such a layer in a block: ``bn``, ``gn``, ``in``.

    Raises:
        UserError: no such normalisation, or a key that it does not have.

    >>> norm_name({"type": "SyncBN"})
    'bn'
    """
    kind = _type_of(config, _NORMS, "norm_cfg")
    _only(config, _NORM_KEYS[kind], kind, "norm_cfg")
    return _NORMS[kind]


def build_norm(config: Mapping[str, Any], channels: int) -> nn.Module:
    """A normalisation of maps (N, channels, H, W).

    ``SyncBN`` is an ordinary batch normalisation: whether the batch is that of all processes says the recipe's
    ``train.sync_batchnorm``, for every network alike, also on CPUs. ``requires_grad: false`` freezes scale and shift.

    Raises:
        UserError: no such normalisation, a key that it does not have, groups that do not divide the channels.

    >>> build_norm({"type": "GN", "num_groups": 4}, 8).num_groups
    4
    """
    norm_name(config)
    kind = config["type"]
    options = {key: value for key, value in config.items() if key not in ("type", "requires_grad")}
    norm: nn.Module
    if kind == "GN":
        groups = options.pop("num_groups", None)
        if not isinstance(groups, int) or groups < 1 or channels % groups:
            raise UserError(f"GN needs num_groups that divides {channels} channels, not {groups}", where="norm_cfg")
        norm = nn.GroupNorm(groups, channels, **options)
    elif kind == "IN":
        norm = nn.InstanceNorm2d(channels, **options)
    else:
        norm = nn.BatchNorm2d(channels, **options)
        guard_batches_of_one(norm)
    for parameter in norm.parameters():
        parameter.requires_grad_(bool(config.get("requires_grad", True)))
    return norm


def build_activation(config: Mapping[str, Any], inplace: bool = True) -> nn.Module:
    """An activation; those that can work in place do.

    Raises:
        UserError: no such activation, or a key that it does not have.
    """
    kind = _type_of(config, _ACTIVATIONS, "act_cfg")
    made, keys = _ACTIVATIONS[kind]
    _only(config, keys, kind, "act_cfg")
    options = {key: value for key, value in config.items() if key != "type"}
    return made(**options, inplace=inplace) if kind in _IN_PLACE else made(**options)


def _type_of(config: Mapping[str, Any], known: Mapping[str, Any], where: str) -> str:
    kind = config.get("type")
    if not isinstance(kind, str) or kind not in known:
        raise UserError(f"unknown type {kind!r}", where=where, fix=nearest(str(kind), list(known)))
    return kind


def _only(config: Mapping[str, Any], keys: set[str], kind: str, where: str) -> None:
    for key in config:
        if key != "type" and key not in keys:
            raise UserError(f"unknown key {key!r} of {kind}", where=where, fix=nearest(str(key), sorted(keys)))
