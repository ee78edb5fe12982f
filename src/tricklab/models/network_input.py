"""What the images were like that a network's published weights were trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tricklab import registry
from tricklab.errors import UserError
from tricklab.models.timm_model import check_name
from tricklab.models.user_module import target_of

CHANNELS = 3
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class NetworkInput:
    """Images as a network's published weights know them.

    Attributes:
        mean, std: of the three channels, for values in [0, 1].
        size: height and width in training.
        source: the weights that it is about.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]
    source: str


IMAGENET = {
    "GroupMamba": "GroupMamba's ImageNet-1k weights",
    "EfficientMod": "EfficientMod's ImageNet-1k weights",
}


def network_input(model: Mapping[str, Any], where: str) -> NetworkInput:
    """What the published weights of a recipe's model expect.

    timm's networks have it in their ``pretrained_cfg``; a network of the user's own may have a ``default_cfg`` with
    ``mean``, ``std`` and ``input_size`` (channels, height, width), as timm's do.

    Args:
        model: the recipe's ``model``.
        where: the key that asked, for errors.

    Raises:
        UserError: no weights of this network are published, so nothing is known.

    >>> network_input({"type": "timm", "name": "vit_tiny_patch16_224"}, "data.normalise").mean
    (0.5, 0.5, 0.5)
    """
    kind = model["type"]
    if kind in IMAGENET:
        return NetworkInput(IMAGENET_MEAN, IMAGENET_STD, (224, 224), IMAGENET[kind])
    if kind == "timm":
        return _of_timm(model["name"], where)
    owner = target_of(model["target"]) if kind == "module" else registry.load("model", kind)
    name = model["target"].rpartition("/")[2] if kind == "module" else kind
    about = getattr(owner, "default_cfg", None)
    if not isinstance(about, Mapping):
        raise _unknown(f"{name} has no default_cfg with mean, std and input_size", where)
    return _checked(about, name, where)


def _of_timm(name: str, where: str) -> NetworkInput:
    import timm

    check_name(name)
    found = timm.get_pretrained_cfg(name)
    if found is None or not found.has_weights:
        raise _unknown(f"timm has no weights of {name}", where)
    source = f"timm {found.architecture}.{found.tag}".rstrip(".")
    return _checked({"mean": found.mean, "std": found.std, "input_size": found.input_size}, source, where)


def _checked(about: Mapping[str, Any], source: str, where: str) -> NetworkInput:
    try:
        mean, std = (tuple(float(value) for value in about[key]) for key in ("mean", "std"))
        channels, height, width = (int(value) for value in about["input_size"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown(f"the default_cfg of {source} lacks or garbles {error}", where) from None
    if channels != CHANNELS or len(mean) != CHANNELS or len(std) != CHANNELS:
        raise _unknown(f"{source} is for images of {channels} channels, not {CHANNELS}", where)
    return NetworkInput(mean, std, (height, width), source)


def _unknown(what: str, where: str) -> UserError:
    fix = "say the size in pixels" if where == "data.size" else "take dataset, imagenet or {mean: […], std: […]}"
    return UserError(f"{what}, so there is nothing to take from the model", where=where, fix=fix)
