"""Which layer of a model a parameter belongs to, counted from the input, and which parameters are the classifier's."""

from __future__ import annotations

from typing import Any

from torch import nn

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def layer_numbers(model: nn.Module) -> dict[str, int]:
    """The layer of each parameter: 0 nearest the input, the highest number at the head.

    A module that has timm's ``group_matcher`` says it itself. Of any other module each part counts as one layer, in the
    order in which the parts were defined: of a list or sequence each item, of a module that wraps nothing but one other
    that module's parts. A normalisation joins the layer before it, a module's own parameters join its first layer.

    Returns:
        Name of each parameter → its layer, in the order of ``model.named_parameters()``.

    >>> names = layer_numbers(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2)))
    >>> [names[name] for name in ("0.weight", "1.bias", "3.weight")]
    [0, 0, 1]
    """
    names = [name for name, _ in model.named_parameters()]
    found = {name: number for number, layer in enumerate(_layers(model, "", set(names))) for name in layer}
    return {name: found[name] for name in names}


def classifier_parameters(model: nn.Module) -> list[str]:
    """Names of the parameters of the classifier: of ``get_classifier()`` where a model has it, as timm's do.

    Otherwise those of the linear layer or convolution that was defined last; empty where there is none.
    """
    heads: Any = getattr(model, "get_classifier", tuple)()
    parts: list[nn.Module] = [
        head for head in (heads if isinstance(heads, tuple | list) else [heads]) if isinstance(head, nn.Module)
    ]
    if not parts:
        kinds = (nn.Linear, nn.modules.conv._ConvNd)
        parts += [module for module in model.modules() if isinstance(module, kinds)][-1:]
    wanted = {id(parameter) for part in parts for parameter in part.parameters()}
    return [name for name, parameter in model.named_parameters() if id(parameter) in wanted]


def _layers(module: nn.Module, prefix: str, names: set[str]) -> list[list[str]]:
    """Layers of a module as lists of full names; parameters that are not in ``names`` (shared ones) are left out."""
    matcher: Any = getattr(module, "group_matcher", None)
    if matcher is not None:
        from timm.models import group_parameters

        grouped = group_parameters(module, matcher(coarse=False))
        return _filled([[prefix + name for name in grouped[number]] for number in sorted(grouped)], names)
    layers: list[list[str]] = []
    children = [(name, child) for name, child in module.named_children() if next(child.parameters(), None) is not None]
    for name, child in children:
        inner = [f"{prefix}{name}.{own}" for own, _ in child.named_parameters()]
        wraps = len(children) == 1 and not isinstance(module, _CONTAINERS)
        if wraps or isinstance(child, _CONTAINERS) or hasattr(child, "group_matcher"):
            layers += _layers(child, f"{prefix}{name}.", names)
        elif isinstance(child, _NORMS) and layers:
            layers[-1] += inner
        else:
            layers.append(inner)
    own = [prefix + name for name, _ in module.named_parameters(recurse=False)]
    layers = [own + layers[0], *layers[1:]] if layers else [own]
    return _filled(layers, names)


def _filled(layers: list[list[str]], names: set[str]) -> list[list[str]]:
    found = [[name for name in layer if name in names] for layer in layers]
    return [layer for layer in found if layer]
