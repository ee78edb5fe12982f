"""Any model of timm by its name."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.models.initial_weights import (
    Head,
    LoadedWeights,
    load_weights,
    remember,
    skips_initial_weights,
    with_weights_digest,
)
from tricklab.models.second_head import add_second_head, split_heads
from tricklab.registry import component


@component(
    "model",
    name="timm",
    source="Wightman, PyTorch Image Models",
    given=("classes", "channels"),
    complete=with_weights_digest,
)
def timm_model(
    name: str,
    pretrained: bool = False,
    weights: str | None = None,
    weights_digest: str | None = None,
    drop_path: float | None = None,
    dropout: float | None = None,
    distillation: bool = False,
    arguments: dict[str, Any] | None = None,
    *,
    classes: int,
    channels: int,
) -> nn.Module:
    """A model of timm, with timm's own parameter names; gives the output ``main``.

    Args:
        name: as in ``timm.list_models()``, with a tag for the weights where there are several: ``resnet18.a1_in1k``.
        pretrained: begin with timm's published weights, from the hub's cache or the network.
        weights: begin with a local file's weights, safetensors or a plain ``.pth``; the classifier may differ.
        weights_digest: hash of that file; filled in when the recipe is resolved.
        drop_path: chance of leaving out a residual branch (stochastic depth); null is the model's own default.
        dropout: of the classifier; null is the model's own default.
        distillation: a second head that learns from a teacher: its scores are the output ``distillation`` while
            training, and ``main`` is the mean of both otherwise. A distilled DeiT or LeViT has its own; other networks
            with a linear classifier get a second one on the same features.
        arguments: further arguments of the model's function.
        classes: outputs.
        channels: of the images.

    Raises:
        UserError: timm has no such model, the weights cannot be had, or an argument is not one.
    """
    import timm

    check_name(name)
    options = {"drop_path_rate": drop_path, "drop_rate": dropout, **(arguments or {})}
    chosen = {key: value for key, value in options.items() if value is not None}
    published = pretrained and not skips_initial_weights()
    try:
        model: nn.Module = timm.create_model(
            name, pretrained=published, num_classes=classes, in_chans=channels, **chosen
        )
    except TypeError as error:
        raise UserError(f"{name}: {error}", where="model.arguments") from None
    except Exception as error:
        if not published:
            raise UserError(f"timm cannot build {name}: {error}", where="model") from error
        raise UserError(
            f"the weights of {name} are neither in the hub's cache nor to be had: {_one_line(error)}",
            where="model.pretrained",
            fix="fetch them once with a network, or name a file: weights: FILE",
        ) from error
    is_head = _heads(model)
    if published:
        remember(model, _published(model, classes, is_head))
    if weights is not None and not skips_initial_weights():
        # timm's own files may hold buffers of older versions and heads of distillation
        load_weights(model, weights, is_head=is_head, refuse_unknown=False, digest=weights_digest)
    if distillation:
        add_second_head(model)
    model.register_forward_hook(_both_named if distillation else _named)
    return model


def check_name(name: str) -> None:
    """Refuse a model that timm does not have.

    Raises:
        UserError: with the nearest names that it has.
    """
    import timm

    base = name.partition(".")[0]
    if not timm.is_model(base):
        near = ", ".join(difflib.get_close_matches(base, timm.list_models(), n=3))
        raise UserError(f"timm {timm.__version__} has no model {base!r}", where="model.name", fix=near or None)


def _heads(model: nn.Module) -> Head:
    classifier = getattr(model, "default_cfg", {}).get("classifier") or ()
    names = [classifier] if isinstance(classifier, str) else classifier
    starts = tuple(f"{name}." for name in names)
    return lambda name, _tensor: bool(starts) and name.startswith(starts)


def _published(model: nn.Module, classes: int, is_head: Head) -> LoadedWeights:
    """timm draws the classifier anew where its published one has another number of classes."""
    about: dict[str, Any] = getattr(model, "pretrained_cfg", {})
    source = f"timm {about.get('architecture', '')}.{about.get('tag', '')}".rstrip(".")
    own = model.state_dict()
    kept = [key for key, tensor in own.items() if classes != about.get("num_classes") and is_head(key, tensor)]
    return LoadedWeights(source, "", tuple(key for key in own if key not in kept), tuple(kept), ())


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _named(module: nn.Module, arguments: tuple[Any, ...], output: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"main": output}


def _both_named(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> dict[str, torch.Tensor]:
    return split_heads(output, module.training, int(module.num_classes))  # type: ignore[arg-type]
