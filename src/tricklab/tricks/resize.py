"""How images of other shapes are brought to the network's size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

# a change of the aspect by less moves no pixel of an image of 100
_SAME = 0.01


@trick("resize", tasks="classification", source="torchvision Resize and CenterCrop; Krizhevsky et al., NIPS 2012")
def resize(recipe: Recipe, how: Literal["squash", "crop", "pad"]) -> Recipe:
    """Bring images to the network's size: ``squash`` to another aspect, ``crop`` to the middle, ``pad`` with black."""
    return recipe.set("data.resize", how)


@resize.probe(when="first_steps")
def shapes_differ(evidence: Evidence, how: str) -> Proof:
    """Some image has another aspect than the network's: otherwise all three are the same."""
    data = evidence.recipe.get("data", {})
    aspects = evidence.fact("data/image_sizes", {}).get("aspect_ratio")
    size = evidence.fact("data/input", {}).get("size")
    if aspects is None or size is None:
        return Proof(False, "the images' sizes are not recorded")
    height, width = size
    lowest, highest = aspects["min"] * height / width, aspects["max"] * height / width
    text = f"width / height of the images is {lowest:.3g} to {highest:.3g} of the network's; how: {data['resize']}"
    differ = lowest < 1 - _SAME or highest > 1 + _SAME
    return Proof(data["resize"] == how and differ, text, {"lowest": lowest, "highest": highest})
