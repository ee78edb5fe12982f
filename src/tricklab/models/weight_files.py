"""Weights from files of other projects: tensors and plain data alone, in any usual wrapping."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tricklab.errors import UserError
from tricklab.records.trees import load_tree

AVERAGED = ("model_ema", "state_dict_ema")
RAW = ("model", "state_dict")
PREFIXES = ("module.", "_orig_mod.")  # of data-parallel and of compiled modules
COUNT = "n_averaged"  # of torch's AveragedModel


def read_state_dict(path: str | os.PathLike[str], entry: str | None = None) -> tuple[str, dict[str, Tensor]]:
    """A state dict from a file that may hold other things as well.

    ``module.`` and ``_orig_mod.``, which wrappers put before the names of the weights, are taken away.

    Args:
        path: a ``.safetensors`` file, or a ``.pth`` file of tensors and plain Python data.
        entry: which of several state dicts in the file; None takes averaged weights (``model_ema``,
            ``state_dict_ema``) before raw ones (``model``, ``state_dict``).

    Returns:
        The entry's name (``""`` for a bare state dict) and the weights by name.

    Raises:
        UserError: no such file or entry, or a file that is torn or no file of weights.
    """
    return _state_dict(_read(Path(path)), entry, str(path))


def _read(place: Path) -> Any:
    if place.suffix == ".safetensors":
        return load_tree(place)
    if not place.is_file():
        raise UserError("no such file", where=str(place))
    try:
        return _load(place)
    except Exception as error:
        raise UserError(
            f"this file cannot be read as tensors and plain data: {str(error).splitlines()[0]}",
            where=str(place),
            fix="where it is trusted, load it with the project that wrote it and save its state dict alone",
        ) from None


def _load(place: Path) -> Any:
    """Tensors and plain data; objects of other classes, such as a training's options, become inert ones.

    No class or function that a file names is looked up, so nothing of it runs.
    """
    names = _foreign_names(place)
    stands: dict[str, type] = {name: type(f"Inert{number}", (_Inert,), {}) for number, name in enumerate(names)}
    for _ in range(len(names) + 1):
        with torch.serialization.safe_globals([(stand, name) for name, stand in stands.items()]):
            try:
                return torch.load(place, map_location="cpu", weights_only=True)
            except Exception as error:
                # torch fills the items of no mapping but its own and Python's
                found = _FILLED.search(str(error))
                if found is None:
                    raise
                stands[names[int(found.group(1))]] = OrderedDict
    raise AssertionError("each name is replaced once")


def _foreign_names(place: Path) -> list[str]:
    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(place)
    except Exception:
        return []  # a file of an old torch, or none at all: reading it says which


class _Inert:
    """Stands for an object of a foreign class: takes what the file says of it and keeps nothing."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


_FILLED = re.compile(r"Can only SETITEMS? for dict.*Inert(\d+)", re.DOTALL)


def _state_dict(tree: Any, entry: str | None, place: str) -> tuple[str, dict[str, Tensor]]:
    """The name of the entry and its weights without what wrappers put before their names."""
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
    return name, _unwrapped(chosen)


def _unwrapped(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = {key: value for key, value in weights.items() if key != COUNT}
    while prefix := next((one for one in PREFIXES if all(key.startswith(one) for key in found)), None):
        found = {key.removeprefix(prefix): value for key, value in found.items()}
    return found


def _is_state_dict(value: Any) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in value.items())
