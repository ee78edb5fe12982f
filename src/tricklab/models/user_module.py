"""A network of the user's own: any class or function that gives an ``nn.Module``, with one key in the recipe."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from tricklab.errors import UserError, nearest
from tricklab.models.initial_weights import load_weights, skips_initial_weights, with_weights_digest
from tricklab.registry import component
from tricklab.user_modules import code_digest, import_user_module, place_in_user_code

CLASSES = ("classes", "num_classes", "n_classes", "nb_classes", "num_labels")
CHANNELS = ("channels", "in_channels", "in_chans", "n_channels", "num_channels", "bands")
SIZE = ("size", "img_size", "image_size", "input_size", "window")


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The checked keys with the hashes of code and weights filled in.

    Raises:
        UserError: the target cannot be imported, does not take the arguments, or is not the code that the recipe names.
    """
    values = with_weights_digest(config)
    target = values["target"]
    file = _file(target)
    function = target_of(target)
    known = dict.fromkeys((*CLASSES, *CHANNELS, *SIZE), 1)
    _keywords(function, target, values["arguments"] or {}, known)
    digest = code_digest(file)
    if values["code_digest"] not in (None, digest):
        raise UserError(
            f"the code of {target} was changed after the recipe was resolved",
            where="target",
            fix="put it back, or leave model.code_digest out to train the changed code as a run of its own",
        )
    return {**values, "code_digest": digest}


@component("model", name="module", source="your own code", given=("classes", "channels", "size"), complete=completed)
def user_module(
    target: str,
    arguments: dict[str, Any] | None = None,
    weights: str | None = None,
    weights_digest: str | None = None,
    code_digest: str | None = None,
    *,
    classes: int,
    channels: int,
    size: tuple[int, int],
) -> nn.Module:
    """A network of your own, with its own parameter names; a tensor that it returns is the output ``main``.

    The number of classes, the channels and the size of the images are given to it where its signature has a parameter
    for them: ``classes``, ``num_classes``, ``n_classes``, ``nb_classes`` or ``num_labels``; ``channels``,
    ``in_channels``, ``in_chans``, ``n_channels``, ``num_channels`` or ``bands``; ``size``, ``img_size``,
    ``image_size``, ``input_size`` or ``window`` (a number for square images, else height and width).

    Args:
        target: ``file.py:Class``, ``package.module:Class``, or a function that gives a network. A file's path is
            relative to the recipe.
        arguments: further arguments; what stands here is not given by tricklab.
        weights: begin with a file's weights; a classifier for another number of classes keeps its fresh values.
        weights_digest: hash of that file; filled in when the recipe is resolved.
        code_digest: hash of the target's file and of the neighbours it imports; filled in when the recipe is resolved.
        classes: of the data.
        channels: of the images.
        size: height and width of the images.

    Shape:
        (N, channels, H, W) float → logits (N, classes), or a mapping of outputs with the key ``main``.

    Raises:
        UserError: the target is no network, its code fails, or its outputs are something else.
    """
    side = size[0] if size[0] == size[1] else tuple(size)
    given: dict[str, Any] = dict.fromkeys(CLASSES, classes) | dict.fromkeys(CHANNELS, channels)
    function = target_of(target)
    keywords = _keywords(function, target, arguments or {}, given | dict.fromkeys(SIZE, side))
    try:
        model = function(**keywords)
    except UserError:
        raise
    except Exception as error:
        what = " ".join(f"building {_short(target)} failed: {type(error).__name__}: {error}".split())
        raise UserError(what, where=place_in_user_code(error) or "model.target") from error
    if not isinstance(model, nn.Module):
        raise UserError(f"{_short(target)} gives a {type(model).__name__}, not an nn.Module", where="model.target")
    if any(isinstance(hook, functools.partial) and hook.func is _named for hook in model._forward_hooks.values()):
        raise UserError(f"{_short(target)} gives the same network again", where="model.target", fix="build a new one")
    if weights is not None and not skips_initial_weights():
        load_weights(model, weights, is_head=lambda _, tensor: _of(tensor, classes), digest=weights_digest)
    model.register_forward_hook(functools.partial(_named, target=_short(target), classes=classes))
    return model


def target_of(target: str) -> Callable[..., Any]:
    """The class or function behind ``file.py:Name`` or ``package.module:Name``; imports it.

    Raises:
        UserError: it is not written that way, or is not there.
    """
    module = import_user_module(_file(target))
    found: Any = module
    for name in target.rpartition(":")[2].split("."):
        inside = found
        found = getattr(inside, name, None)
        if found is None:
            public = [key for key, value in vars(inside).items() if callable(value) and not key.startswith("_")]
            raise UserError(f"{_file(target)} has no {name!r}", where="target", fix=nearest(name, public))
    if not callable(found):
        raise UserError(f"{_short(target)} is a {type(found).__name__}, not a class or function", where="target")
    checked: Callable[..., Any] = found
    return checked


def _file(target: str) -> str:
    file, colon, name = target.rpartition(":")
    if not colon or not file or not name:
        raise UserError(f"{target!r} names no class", where="target", fix="write file.py:Class or package.module:Class")
    return file


def _short(target: str) -> str:
    return target.rpartition("/")[2]


def _keywords(
    function: Callable[..., Any], target: str, arguments: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments, with what tricklab gives under the first spelling that the signature has."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return dict(arguments)
    keywords = dict(arguments)
    for spellings in (CLASSES, CHANNELS, SIZE):
        taken = [name for name in spellings if name in signature.parameters]
        if taken and not any(name in keywords for name in spellings):
            keywords[taken[0]] = given[taken[0]]
    try:
        signature.bind(**keywords)
    except TypeError as error:
        known = ", ".join(signature.parameters)
        raise UserError(f"{_short(target)}: {error}", where="arguments", fix=f"its parameters are {known}") from None
    return keywords


def _of(tensor: Tensor, classes: int) -> bool:
    """Whether a weight looks like a classifier's: one row for each class."""
    return tensor.ndim > 0 and tensor.shape[0] == classes


def _named(module: nn.Module, inputs: tuple[Any, ...], output: Any, *, target: str, classes: int) -> dict[str, Tensor]:
    """The forward hook: outputs by name, ``main`` among them."""
    found = {"main": output} if isinstance(output, Tensor) else output
    if not isinstance(found, dict) or not isinstance(found.get("main"), Tensor):
        raise UserError(
            f"{target} returned {_described(output)}",
            where="model.target",
            fix="return the tensor of class scores (N, classes), or a dict of tensors with the key 'main'",
        )
    main = found["main"]
    if main.ndim != 2 or main.shape[1] != classes:
        raise UserError(
            f"{target} gives scores of shape {tuple(main.shape)} for {classes} classes",
            where="model.target",
            fix=f"its last layer needs {classes} outputs: take them as num_classes, or say so in model.arguments",
        )
    return found


def _described(output: Any) -> str:
    if isinstance(output, tuple | list):
        return f"a {type(output).__name__} of {len(output)}: {', '.join(_described(item) for item in output)}"
    if isinstance(output, dict):
        return f"a dict with the keys {', '.join(map(repr, output)) or '(none)'}"
    if isinstance(output, Tensor):
        return f"a tensor {tuple(output.shape)}"
    return f"a {type(output).__name__}"
