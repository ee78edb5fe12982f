"""What stands between a network's scores and its answer: which components fit, and how they are put around a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from tricklab import registry
from tricklab.errors import UserError


def check_postprocess(postprocess: Sequence[Mapping[str, Any]], items: str) -> None:
    """Refuse postprocessing that is for other data; a class says what it is for in its field ``acts_on``.

    Args:
        postprocess: the recipe's ``evaluate.postprocess``.
        items: ``scenes``, ``images`` or ``masks``.

    Raises:
        UserError: names its place in the recipe and what there is for these data.
    """
    for place, config in enumerate(postprocess):
        found = registry.load("postprocess", config["type"])
        if getattr(found, "acts_on", items) == items:
            continue
        names = [entry.name for entry in registry.entries("postprocess")]
        fitting = [name for name in names if getattr(registry.load("postprocess", name), "acts_on", items) == items]
        raise UserError(
            f"{config['type']} acts on {found.acts_on}, this recipe's data are {items}",
            where=f"evaluate.postprocess.{place}",
            fix=f"for {items} there is {', '.join(fitting)}",
        )


def check_views(postprocess: Sequence[Mapping[str, Any]], size: tuple[int, int]) -> None:
    """Refuse views that images of a size, (height, width), cannot be seen in."""
    for config in postprocess:
        step = registry.build("postprocess", config)
        if hasattr(step, "check_size"):
            step.check_size(size)


def asked_through(
    postprocess: Sequence[Mapping[str, Any]], scores: Callable[[Tensor], Tensor], **given: Any
) -> Callable[[Tensor], Tensor]:
    """A call, images (N, C, H, W) → logits, with a recipe's postprocessing of images around it, first innermost.

    Args:
        postprocess: components of kind postprocess.
        scores: asks the network; logits (N, K) of images, (N, K, H, W) of masks.
        given: what components need to know of the task; for masks ``value_steps``, float (C,): how many of 256 steps
            one unit of the network's input is (255 times the standard deviation that it was divided by).
    """
    for config in postprocess:
        scores = registry.build("postprocess", config, **given).around(scores)
    return scores
