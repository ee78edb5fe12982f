"""What a run's data consist of, for the words of a finding and for what counts as independent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tricklab.records import Evidence


def kind_of_data(evidence: Evidence) -> Literal["images", "masks", "scene"]:
    """Images with one class each, images with masks, or the pixels of a scene."""
    if evidence.recipe.get("task") == "segmentation":
        return "masks"
    return "images" if evidence.fact("data/class_names") is not None else "scene"
