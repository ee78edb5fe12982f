"""Put any block after any named module of any model, without touching the model's code or its weight names.

The block becomes a child of its host module, ``conv2d.inserted.0`` for the first block after ``conv2d``; a forward hook
finds it there, on the module that it is called for. So a deep copy, a pickle and ``state_dict`` carry the right block.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from tricklab import registry
from tricklab.errors import UserError, nearest

CHILD = "inserted"


def apply_inserts(
    model: nn.Module,
    inserts: Sequence[Mapping[str, Any]],
    aside: Callable[[str], AbstractContextManager[Any]],
) -> list[str]:
    """Insert blocks in the order given; several after one module run one after the other.

    Args:
        model: any module, changed in place.
        inserts: components of kind block with one more key ``after``: a module's name, or a pattern with ``*`` and
            ``?`` that may match many (``layer*.conv2``).
        aside: ``seeds.aside``: the block's initial weights come from a stream of their own, named after its place.

    Returns:
        The full names of the blocks, such as ``conv2d.inserted.0``.

    Raises:
        UserError: ``after`` is missing, matches nothing (lists the names there are), or names a module whose number
            of channels is unknown.
    """
    added: list[str] = []
    for index, item in enumerate(inserts):
        where = f"model.insert.{index}"
        config = dict(item)
        after = config.pop("after", None)
        if not isinstance(after, str):
            raise UserError("an inserted block needs the key 'after' with a module's name", where=where)
        hosts: set[str] = set()  # a pattern may match a Sequential and the last module in it: one place, one block
        for name in matching_modules(model, after, where=f"{where}.after"):
            host_name, host = _host(model, name, f"{where}.after")
            if host_name not in hosts:
                hosts.add(host_name)
                added.append(_insert(model, name, host_name, host, config, aside, where))
    return added


def matching_modules(model: nn.Module, pattern: str, *, where: str | None = None) -> list[str]:
    """Names of the modules that a name or pattern means; inserted blocks and the model itself are not counted.

    Raises:
        UserError: nothing matches.
    """
    names = [name for name, _ in model.named_modules() if name and CHILD not in name.split(".")]
    found = [pattern] if pattern in names else [name for name in names if fnmatch.fnmatchcase(name, pattern)]
    if not found:
        hint = nearest(pattern, names)
        listed = f"the modules are: {', '.join(names)}"
        raise UserError(
            f"no module of {type(model).__name__} is named {pattern!r}",
            where=where,
            fix=f"{hint} {listed}" if hint.startswith("did") else listed,
        )
    return found


def inserted_blocks(module: nn.Module) -> list[nn.Module]:
    """The blocks that run after a module, in order; empty when there is none."""
    return list(getattr(module, CHILD, ()))


def inserted_names(model: nn.Module) -> list[str]:
    """Full names of all inserted blocks of a model."""
    return [
        f"{name}.{CHILD}.{position}" if name else f"{CHILD}.{position}"
        for name, module in model.named_modules()
        for position in range(len(inserted_blocks(module)))
    ]


def run_inserted(module: nn.Module, _arguments: Any, output: Any) -> Any:
    """The forward hook: run the module's own inserted blocks on its output."""
    if not isinstance(output, torch.Tensor):
        raise UserError(
            f"a block stands after a {type(module).__name__}, whose output is a {type(output).__name__}",
            where="model.insert",
            fix="insert after a module that returns one tensor",
        )
    for block in inserted_blocks(module):
        output = block(output)
    return output


def channels_of(module: nn.Module) -> int | None:
    """Channels of a module's output: its own declaration, else that of its last part that has one; None if unknown."""
    parts = [part for name, part in module.named_modules() if CHILD not in name.split(".")]
    declared = [channels for part in parts if (channels := _declared(part)) is not None]
    return _declared(module) or (declared[-1] if declared else None)


def _declared(module: nn.Module) -> int | None:
    for attribute in ("out_channels", "num_features", "num_channels", "out_features"):
        value = getattr(module, attribute, None)
        if isinstance(value, int):
            return value
    return None


def _host(model: nn.Module, name: str, where: str) -> tuple[str, nn.Module]:
    """The module that carries the block: the named one, or the last module of a Sequential, which runs its children."""
    host = model.get_submodule(name)
    while isinstance(host, nn.Sequential) and len(host):
        last = [child for child, _ in host.named_children()][-1]
        name, host = f"{name}.{last}", host.get_submodule(last)
    if isinstance(host, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        raise UserError(
            f"{name!r} is a {type(host).__name__} without an output of its own",
            where=where,
            fix="name one of the modules in it",
        )
    return name, host


def _insert(
    model: nn.Module,
    name: str,
    host_name: str,
    host: nn.Module,
    config: Mapping[str, Any],
    aside: Callable[[str], AbstractContextManager[Any]],
    where: str,
) -> str:
    config = registry.check("block", config, where)
    channels = channels_of(model.get_submodule(name))
    if channels is None:
        raise UserError(
            f"the number of channels after {name!r} ({type(model.get_submodule(name)).__name__}) is unknown",
            where=f"{where}.after",
            fix="name the convolution, normalisation or linear layer before it",
        )
    if run_inserted not in host._forward_hooks.values():
        if hasattr(host, CHILD):
            raise UserError(f"{host_name!r} has an attribute {CHILD!r} of its own", where=f"{where}.after")
        host.add_module(CHILD, nn.ModuleList().train(host.training))
        host.register_forward_hook(run_inserted)
    blocks = host.get_submodule(CHILD)
    assert isinstance(blocks, nn.ModuleList)
    full_name = f"{host_name}.{CHILD}.{len(blocks)}"
    try:
        with aside(full_name):
            block = registry.build("block", config, channels=channels)
    except UserError as error:
        raise UserError(error.what, where=error.where or where, fix=error.fix) from error
    example = next(itertools.chain(host.parameters(), model.parameters()), None)
    if example is not None:
        block.to(device=example.device, dtype=example.dtype)
    blocks.append(block.train(host.training))
    return full_name
