"""What an evaluation reads of a model of images: scores, and what else its losses need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from tricklab.inference.postprocess import asked_through


def asked_outputs(
    model: nn.Module, names: Sequence[str], postprocess: Sequence[Mapping[str, Any]]
) -> Callable[[Tensor], dict[str, Tensor]]:
    """A call, images (N, 3, H, W) → named outputs (N, K), with a recipe's postprocessing around each of them alike.

    Args:
        model: in evaluation mode.
        names: outputs to ask for, ``main`` among them; those that the model gives only while training are left out.
        postprocess: components of kind postprocess that act on images.
    """

    def through(name: str) -> Callable[[Tensor], Tensor]:
        return asked_through(postprocess, lambda images: model(images)[name])

    calls = {name: through(name) for name in names}

    def ask(images: Tensor) -> dict[str, Tensor]:
        if list(names) == ["main"]:
            return {"main": calls["main"](images)}
        plain = model(images)
        given = [name for name in names if name in plain]
        return {name: calls[name](images) if postprocess else plain[name] for name in given}

    return ask
