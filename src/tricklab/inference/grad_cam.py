"""Where a network looks: the parts of an image that speak for a class (Grad-CAM)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError, nearest

LEAST_CELLS = 7


@dataclass(frozen=True)
class Regions:
    """What speaks for a class in each image.

    Attributes:
        maps: float32 (N, H, W), 0 … 1; 1 is the strongest place of an image, and all is 0 where nothing speaks for it.
        layer: the module whose output was weighed.
        cells: (height, width) of that output: finer than that nothing is known.
    """

    maps: Tensor
    layer: str
    cells: tuple[int, int]


def grad_cam(model: nn.Module, images: Tensor, classes: Tensor, layer: str | None = None) -> Regions:
    """Weigh a layer's channels by the mean gradient of a class's logit; the positive part of their sum is the map.

    Source: Selvaraju et al., ICCV 2017, arXiv 1610.02391, equations 1 and 2; bilinear to the size of the image. Maps of
    an ensemble's members are averaged.

    Args:
        model: in evaluation mode; gives ``{"main": logits (N, K)}``.
        images: float32 (N, 3, H, W), normalised, on the model's device.
        classes: int64 (N,), whose logit is asked for.
        layer: name of a module that gives (N, C, h, w), (N, h, w, C) or tokens (N, L, C); None takes the deepest of the
            network's stages that still has 7 × 7 cells, or its finest one.

    Raises:
        UserError: no such module, or one whose output is no map of the image.

    >>> from torch import nn
    >>> class Red(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.convolution = nn.Conv2d(3, 1, 1, bias=False)
    ...         nn.init.dirac_(self.convolution.weight)
    ...     def forward(self, images):
    ...         return {"main": self.convolution(images).mean(dim=(2, 3))}
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0, 0, 1] = 1.0
    >>> grad_cam(Red().eval(), image, torch.tensor([0])).maps[0].tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    members: Sequence[nn.Module] = list(getattr(model, "ensemble_members", [model]))
    found = [_of_one(member, images, classes, layer) for member in members]
    maps = torch.stack([one.maps for one in found]).mean(dim=0)
    return Regions(_to_one(maps), found[0].layer, found[0].cells)


def choose_layer(model: nn.Module, images: Tensor) -> str:
    """The deepest stage whose output has at least 7 × 7 cells, or the one with most cells.

    Stages are timm's ``feature_info``, the last blocks of GroupMamba's stages, or every convolution of other networks.

    Raises:
        UserError: the network has nothing of the kind.
    """
    names = _stages(model)
    modules = dict(model.named_modules())
    sizes: dict[str, tuple[int, int]] = {}

    def note(name: str, output: Any) -> None:
        try:
            sizes.pop(name, None)
            found = _as_map(output, model, modules[name], images.shape[-2:])
            sizes[name] = int(found.shape[2]), int(found.shape[3])
        except UserError:
            return  # a stage without a map is none to choose from

    with _watching({name: modules[name] for name in names}, note), torch.no_grad():
        model(images[:1])
    if not sizes:
        raise UserError("no layer of this network gives a map of the image", where="--layer", fix="name one")
    fine = [name for name, size in sizes.items() if min(size) >= LEAST_CELLS]
    return fine[-1] if fine else max(reversed(sizes), key=lambda name: math.prod(sizes[name]))


def require_layer(model: nn.Module, name: str) -> None:
    """Refuse the name of a module that is not there.

    Raises:
        UserError: names the nearest there is.
    """
    names = {key for member in getattr(model, "ensemble_members", [model]) for key, _ in member.named_modules() if key}
    if name not in names:
        raise UserError(f"no module named {name!r}", where="--layer", fix=nearest(name, names))


def _of_one(model: nn.Module, images: Tensor, classes: Tensor, layer: str | None) -> Regions:
    modules = dict(model.named_modules())
    name = choose_layer(model, images) if layer is None else layer
    if name not in modules or name == "":
        raise UserError(
            f"no module named {name!r}", where="--layer", fix=nearest(name, [key for key in modules if key])
        )
    kept: list[Tensor] = []

    def cut(module: nn.Module, inputs: Any, output: Any) -> Tensor:
        if not isinstance(output, Tensor):
            raise UserError(f"{name} gives {type(output).__name__}, not a tensor", where="--layer")
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()  # what comes next may change it in place

    with torch.enable_grad():
        handle = modules[name].register_forward_hook(cut)
        try:
            logits = model(images)["main"]
        finally:
            handle.remove()
        if not kept:
            raise UserError(f"{name} takes no part in the answer", where="--layer")
        chosen = logits.gather(1, classes[:, None]).sum()
        (gradient,) = torch.autograd.grad(chosen, kept[-1], allow_unused=True)
    if gradient is None:
        raise UserError(f"the answer does not depend on {name}", where="--layer", fix="name a module before it")
    size = images.shape[-2:]
    values = _as_map(kept[-1].detach(), model, modules[name], size)
    weights = _as_map(gradient, model, modules[name], size).mean(dim=(2, 3), keepdim=True)
    found = functional.relu((weights * values).sum(dim=1, keepdim=True)).float()
    cells = (int(found.shape[2]), int(found.shape[3]))
    if cells != tuple(size):
        found = functional.interpolate(found, size, mode="bilinear", align_corners=False)
    return Regions(_to_one(found[:, 0]), name, cells)


def _to_one(maps_NHW: Tensor) -> Tensor:
    highest = maps_NHW.amax(dim=(1, 2), keepdim=True)
    return maps_NHW / highest.clamp(min=torch.finfo(torch.float32).tiny)


def _stages(model: nn.Module) -> list[str]:
    modules = dict(model.named_modules())
    about = getattr(model, "feature_info", None)
    listed = [str(item["module"]) for item in about] if isinstance(about, list) else []
    # the answer reads the class token alone, so behind the last attention no other token speaks for anything
    listed = [f"{name}.norm1" if _reads_a_token(model) and f"{name}.norm1" in modules else name for name in listed]
    if known := [name for name in listed if name in modules]:
        return known
    single = [name for name in modules if name.count(".") == 1]
    blocks = [[name for name in single if name.startswith(f"block{stage}.")] for stage in (1, 2, 3, 4)]
    if all(blocks):
        return [names[-1] for names in blocks]
    return [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]


def _reads_a_token(model: nn.Module) -> bool:
    return bool(getattr(model, "num_prefix_tokens", 0)) and getattr(model, "global_pool", "") == "token"


def _as_map(output: Any, model: nn.Module, module: nn.Module, size: Sequence[int]) -> Tensor:
    """(N, C, h, w) of what a module gives for images of a size."""
    if isinstance(output, Tensor) and output.ndim == 4:
        last = getattr(model, "output_fmt", "") == "NHWC" or isinstance(module, nn.LayerNorm | nn.Linear)
        return output.permute(0, 3, 1, 2) if last else output
    if isinstance(output, Tensor) and output.ndim == 3:
        tokens = output[:, int(getattr(model, "num_prefix_tokens", 0)) :]
        cells = _grid(tokens.shape[1], size)
        if cells is not None:
            return tokens.unflatten(1, cells).permute(0, 3, 1, 2)
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    raise UserError(f"its output {shape} is no map of the image", where="--layer", fix="name a stage or a convolution")


def _grid(count: int, size: Sequence[int]) -> tuple[int, int] | None:
    """(height, width) of so many patches of an image, by the patches' side."""
    for side in range(1, max(size) + 1):
        cells = math.ceil(size[0] / side), math.ceil(size[1] / side)
        if math.prod(cells) == count:
            return cells
    return None


@contextmanager
def _watching(modules: dict[str, nn.Module], note: Any) -> Iterator[None]:
    handles = [
        module.register_forward_hook(lambda _, __, output, name=name: note(name, output))  # type: ignore[misc]
        for name, module in modules.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
