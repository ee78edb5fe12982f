"""Published and foreign GroupMamba weights: any usual wrapping, any number of classes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tricklab.errors import UserError
from tricklab.models.groupmamba import GroupMamba
from tricklab.records.trees import load_tree

AVERAGED = ("model_ema", "state_dict_ema")
RAW = ("model", "state_dict")
PREFIX = "module."
HEADS = ("head.", "dist_head.")
CLASSIFIER = ("post_network.", *HEADS)


@dataclass(frozen=True)
class LoadedWeights:
    """What :func:`load_weights` found: the ``entry`` of the file (``""`` for a bare state dict), which weights were
    taken, which of the model's ``kept`` their initial values, and which of the file's were ``unused``."""

    entry: str
    loaded: tuple[str, ...]
    kept: tuple[str, ...]
    unused: tuple[str, ...]


def load_weights(model: GroupMamba, path: str | os.PathLike[str], entry: str | None = None) -> LoadedWeights:
    """Load weights into a model: a checkpoint of the authors' code, of timm's or our own.

    Heads are taken only when their number of classes is the model's, and may be absent on either side; so may the post
    block when the model has none. Every other weight must be there and fit.

    Args:
        path: a ``.safetensors`` file, or a ``.pth`` file of tensors and plain Python data.
        entry: which of several state dicts in the file; None takes averaged weights (``model_ema``,
            ``state_dict_ema``) before raw ones (``model``, ``state_dict``).

    Raises:
        UserError: no such file or entry, a file that holds objects other than plain data, a weight that is missing or
            has another shape; the model is then unchanged.
    """
    place = str(path)
    found_entry, given = _state_dict(_read(Path(path)), entry, place)
    own = model.state_dict()
    fresh = {name for name in own if name.startswith(HEADS) and _differs(own[name], given.get(name))}
    missing = [name for name in own if name not in given and name not in fresh]
    wrong = [name for name in own if name in given and name not in fresh and own[name].shape != given[name].shape]
    unused = [name for name in given if name not in own or name in fresh]
    foreign = [name for name in unused if not name.startswith(CLASSIFIER)]
    for what, names in (("are missing", missing), ("have another shape", wrong), ("are unknown", foreign)):
        if names:
            raise UserError(
                f"{len(names)} weights {what}, the first is {names[0]!r}",
                where=place,
                fix="build the model with the size and switches that the weights were trained with",
            )
    model.load_state_dict({name: own[name] if name in fresh else given[name] for name in own})
    return LoadedWeights(
        found_entry, tuple(name for name in own if name not in fresh), tuple(sorted(fresh)), tuple(unused)
    )


def _read(place: Path) -> Any:
    if place.suffix == ".safetensors":
        return load_tree(place)
    if not place.is_file():
        raise UserError("no such file", where=str(place))
    try:
        return torch.load(place, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"this file cannot be read as tensors and plain data: {str(error).splitlines()[0]}",
            where=str(place),
            fix="training checkpoints may hold objects of their project: where it is trusted, load it there and save "
            "its state dict alone",
        ) from None


def _state_dict(tree: Any, entry: str | None, place: str) -> tuple[str, dict[str, Tensor]]:
    """The name of the entry and its weights without ``module.``."""
    chosen = tree
    name = ""
    if isinstance(tree, Mapping) and (entry is not None or not _is_state_dict(tree)):
        known = [key for key, value in tree.items() if _is_state_dict(value)]
        name = entry or next((key for key in (*AVERAGED, *RAW) if key in known), "")
        if name not in known:
            raise UserError(
                f"no state dict named {entry!r} in this file" if entry else "no state dict in this file",
                where=place,
                fix=f"entry may be {', '.join(map(repr, known))}" if known else None,
            )
        chosen = tree[name]
    if not _is_state_dict(chosen):
        raise UserError("no state dict in this file", where=place)
    wrapped = all(key.startswith(PREFIX) for key in chosen)
    return name, {key.removeprefix(PREFIX) if wrapped else key: value for key, value in chosen.items()}


def _is_state_dict(value: Any) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in value.items())


def _differs(own: Tensor, given: Tensor | None) -> bool:
    return given is None or given.shape != own.shape
