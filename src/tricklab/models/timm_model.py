"""Any model of timm by its name."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.models.weight_files import read_state_dict
from tricklab.registry import component


@component("model", name="timm", source="Wightman, PyTorch Image Models", given=("classes", "channels"))
def timm_model(
    name: str,
    pretrained: bool = False,
    weights: str | None = None,
    drop_path: float | None = None,
    dropout: float | None = None,
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
        drop_path: chance of leaving out a residual branch (stochastic depth); null is the model's own default.
        dropout: of the classifier; null is the model's own default.
        arguments: further arguments of the model's function.
        classes: outputs.
        channels: of the images.

    Raises:
        UserError: timm has no such model, the weights cannot be had, or an argument is not one.
    """
    import timm

    base = name.partition(".")[0]
    if not timm.is_model(base):
        near = ", ".join(difflib.get_close_matches(base, timm.list_models(), n=3))
        raise UserError(f"timm {timm.__version__} has no model {base!r}", where="model.name", fix=near or None)
    if pretrained and weights is not None:
        raise UserError("weights come from a file or from timm, not both", where="model.weights", fix="leave one out")
    options = {"drop_path_rate": drop_path, "drop_rate": dropout, **(arguments or {})}
    chosen = {key: value for key, value in options.items() if value is not None}
    try:
        model: nn.Module = timm.create_model(
            name, pretrained=pretrained, num_classes=classes, in_chans=channels, **chosen
        )
    except TypeError as error:
        raise UserError(f"{base}: {error}", where="model.arguments") from None
    except Exception as error:
        if not pretrained:
            raise UserError(f"timm cannot build {name}: {error}", where="model") from error
        raise UserError(
            f"the weights of {name} are neither in the hub's cache nor to be had: {type(error).__name__}: {error}",
            where="model.pretrained",
            fix="fetch them once with a network, or name a file: weights: FILE",
        ) from error
    if weights is not None:
        load_all_but_classifier(model, weights)
    model.register_forward_hook(_named)
    return model


def load_all_but_classifier(model: nn.Module, file: str) -> None:
    """Load a file's weights; only the classifier's may have another shape, and then keep their fresh values.

    Raises:
        UserError: no such file, no weights in it, or any other key is missing or of another shape.
    """
    _, found = read_state_dict(file)
    own = model.state_dict()
    classifier = str(getattr(model, "default_cfg", {}).get("classifier", ""))
    wrong = sorted(key for key in own if key not in found or found[key].shape != own[key].shape)
    left = [key for key in wrong if classifier and key.startswith(f"{classifier}.")]
    other = [key for key in wrong if key not in left]
    if other:
        raise UserError(f"{len(other)} of {len(own)} weights do not fit, the first: {other[0]}", where=file)
    model.load_state_dict({key: found[key] for key in own if key not in left}, strict=False)


def _named(module: nn.Module, arguments: tuple[Any, ...], output: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"main": output}
