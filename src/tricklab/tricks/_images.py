"""Where a trick puts an augmentation of images, and what a mixing one proves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tricklab.tricks._base import Proof, Recipe
from tricklab.tricks._drawn import was_drawn

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

# what cuts out of the original, then what moves bytes, then what colours them, holes last; then normalised values
ORDER = (
    "RandomResizedCrop", "RandomCrop", "HorizontalFlip", "VerticalFlip", "Rotation", "RandAugment", "TrivialAugment",
    "ColourJitter", "RandomGrey", "Cutout", "RandomErasing", "Noise",
)  # fmt: skip
# of masks: sizes, then flips, then the crop, then what changes bytes and values where they are
ORDER_WITH_MASKS = (
    "RandomResize", "RandomChoiceResize", "HorizontalFlip", "VerticalFlip", "Rotate90", "RandomCrop", "ColourJitter",
    "RandomGrey", "Cutout", "RandomErasing", "Noise",
)  # fmt: skip


def with_augmentation(recipe: Recipe, item: dict[str, Any]) -> Recipe:
    """The recipe with an augmentation at its place in the order, in whatever order tricks are asked for.

    It takes the place of one of its own kind. Transforms that are not tricklab's stay where they are.
    """
    items = recipe.get("data.augment", [])
    kinds = [other["type"] for other in items]
    if item["type"] in kinds:
        return recipe.set(f"data.augment.{kinds.index(item['type'])}", item)
    order = ORDER_WITH_MASKS if recipe.get("task") == "segmentation" else ORDER
    behind = order[order.index(item["type"]) :]
    place = next((number for number, kind in enumerate(kinds) if kind in behind), len(items))
    return recipe.set("data.augment", [*items[:place], item, *items[place:]])


def with_mixing(recipe: Recipe, item: dict[str, Any]) -> Recipe:
    """The recipe with another mixing of batches behind those it has; it takes the place of one of its own kind."""
    kinds = [other["type"] for other in recipe.get("data.batch_augment", [])]
    place = kinds.index(item["type"]) if item["type"] in kinds else len(kinds)
    return recipe.set(f"data.batch_augment.{place}", item)


def was_mixed(evidence: Evidence, kind: str) -> Proof:
    """Whether a share of the training images was mixed, keeping neither all nor nothing of their own."""
    drawn = was_drawn(evidence, kind)
    _, shares = evidence.series("observe/mix/lambda")
    if not drawn.live or not len(shares):
        return Proof(False, f"no image was mixed by a {kind}", drawn.numbers)
    own = float(shares.mean())
    text = f"{drawn.text}; the mean share of an image's own is {own:.3g}"
    return Proof(0 < own < 1, text, {**drawn.numbers, "own_share": own})
