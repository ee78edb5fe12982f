"""What changes images and masks together, and which transforms of images leave every pixel at its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from tricklab import registry
from tricklab.errors import UserError, nearest

# components of kind image_transform that move no pixel, so that the mask stays true
IN_PLACE = ("ColourJitter", "Cutout", "Noise", "RandomErasing", "RandomGrey")
_STAGES = ("pair", "image", "tensor")
_WHAT = {"pair": "image and mask", "image": "bytes", "tensor": "normalised values"}

PairDraw = Callable[[int], np.ndarray]


class PairTransform(Protocol):
    """What a component of kind ``pair_transform`` offers. Its numbers come from ``draw`` alone (see ``draws.py``).

    A component may ask for ``given=("crop",)``: (height, width) of ``data.crop``, or None for whole images. One that
    only resizes, mirrors, turns or cuts is best made of :class:`tricklab.data.pair_view.PairMove`.
    """

    stage: ClassVar[Literal["pair"]]

    def __call__(
        self, image_HWC: np.ndarray, mask_HW: np.ndarray, draw: PairDraw
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Change one image with its mask.

        Args:
            image_HWC: as the file has it (uint8, uint16 or float32); stays as it is.
            mask_HW: uint8, classes 0 … K-1 and 255 (``IGNORE``) without a label; stays as it is.
            draw: ``draw(columns)`` gives float64 (columns,) in [0, 1).

        Returns:
            Image and mask of one height and width, and whether they were changed.
        """
        ...


def check_augment(items: Sequence[Mapping[str, Any]], key: str = "augment") -> list[dict[str, Any]]:
    """The items with their defaults.

    Args:
        items: mappings with ``type``, of kind ``pair_transform`` or of kind ``image_transform``.
        key: where they stand, for messages.

    Raises:
        UserError: an unknown name or key, a transform of images that would leave the mask behind, an impossible order.
    """
    found = []
    stages: list[tuple[str, str]] = []
    for place, item in enumerate(items):
        here = f"{key}.{place}"
        kind = kind_of(item, here)
        found.append(registry.check(kind, item, here))
        stages.append((found[-1]["type"], registry.load(kind, found[-1]["type"]).stage))
    for place in range(1, len(stages)):
        (before, earlier), (name, stage) = stages[place - 1], stages[place]
        if _STAGES.index(stage) < _STAGES.index(earlier):
            raise UserError(
                f"{name} works on {_WHAT[stage]} and stands after {before}, which works on {_WHAT[earlier]}",
                where=f"{key}.{place}",
                fix="order: image and mask together, then bytes, then normalised values",
            )
    return found


def kind_of(item: Mapping[str, Any], where: str) -> str:
    """``pair_transform`` or, of a transform that moves no pixel, ``image_transform``.

    Raises:
        UserError: neither; a transform that moves pixels of the image alone is named as such.
    """
    name = item.get("type")
    pairs = [entry.name for entry in registry.entries("pair_transform")]
    if name in pairs:
        return "pair_transform"
    alone = {entry.name for entry in registry.entries("image_transform")}
    fitting = [one for one in alone if in_place(one)]
    if name in fitting:
        return "image_transform"
    known = sorted([*pairs, *fitting])
    if name in alone:
        raise UserError(
            f"{name} would move the pixels of the image and leave the mask behind",
            where=f"{where}.type",
            fix=f"take one of {', '.join(known)}",
        )
    raise UserError(f"unknown transform {name!r}", where=f"{where}.type", fix=nearest(str(name), known))


def in_place(name: str) -> bool:
    """Whether a component of kind ``image_transform`` moves no pixel.

    A user's own says so with ``moves_pixels = False``.
    """
    return name in IN_PLACE or getattr(registry.load("image_transform", name), "moves_pixels", True) is False
