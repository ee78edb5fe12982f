"""Class-balanced sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Count

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("class_balanced", source="Shen et al., ECCV 2016 (class-aware sampling)")
def class_balanced(recipe: Recipe, samples: Count | None = None) -> Recipe:
    """Draw every class equally often; small classes repeat within an epoch, large ones rotate.

    ``samples`` is the number of draws per epoch; as many as there are training samples if not given.
    """
    return recipe.set("data.sampler", {"type": "ClassBalanced", "samples": samples})


@class_balanced.probe(when="fit")
def classes_evened(evidence: Evidence) -> Proof:
    """What was drawn is at least four times nearer to equal class shares than the training samples are."""
    drawn = evidence.fact("data/epoch_class_counts")
    natural = evidence.fact("data/class_counts", {}).get("train")
    if not drawn or not natural or not sum(drawn):
        return Proof(False, "the class counts that were drawn are not recorded")
    had, got = _unevenness(natural, natural), _unevenness(drawn, natural)
    text = f"distance to equal class shares: {had:.3f} in the training samples, {got:.3f} in what was drawn"
    return Proof(got < had / 4, text, {"training": had, "drawn": got})


def _unevenness(counts: list[int], natural: list[int]) -> float:
    """Total variation distance of the counts from equal shares over the classes that have training samples."""
    present = [count for count, there in zip(counts, natural, strict=True) if there]
    total = sum(present)
    return sum(abs(count / total - 1 / len(present)) for count in present) / 2
