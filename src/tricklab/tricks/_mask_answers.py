"""Where a trick puts what stands between a network's logits and its masks."""

from __future__ import annotations

from typing import Any

from tricklab.tricks._base import Recipe

# views inside, so that the field sees their mean once
ORDER = ("MaskViews", "MeanFieldCRF")


def with_answering(recipe: Recipe, item: dict[str, Any]) -> Recipe:
    """The recipe with postprocessing of masks at its place in the order; it takes the place of one of its own kind."""
    items = recipe.get("evaluate.postprocess", [])
    kinds = [other["type"] for other in items]
    if item["type"] in kinds:
        return recipe.set(f"evaluate.postprocess.{kinds.index(item['type'])}", item)
    behind = ORDER[ORDER.index(item["type"]) :]
    place = next((number for number, kind in enumerate(kinds) if kind in behind), len(items))
    return recipe.set("evaluate.postprocess", [*items[:place], item, *items[place:]])
