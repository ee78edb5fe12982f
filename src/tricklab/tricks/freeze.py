"""A part of the network that does not train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._freezing import held
from tricklab.tricks._types import Count

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("freeze", source="Yosinski et al., NIPS 2014, arXiv 1411.1792")
def freeze(
    recipe: Recipe,
    match: str | None = None,
    layers: int | None = None,
    until: Count | None = None,
    unit: Literal["epochs", "iterations", "samples"] = "epochs",
) -> Recipe:
    """Keep a part of the network as it is, its batch normalisation included, to the end or until a moment.

    ``match`` names a module or parameter, or is a pattern (``layer1.*``); ``layers`` counts from the input, below zero
    all but so many at the head: ``layers=-1`` trains the head alone. Makes sense with pre-trained weights.
    """
    if (match is None) == (layers is None):
        raise UserError("exactly one of match and layers is needed", fix="say match=stem or layers=-1")
    said = {"match": match} if match is not None else {"layers": layers}
    return recipe.append("train.freeze", said | {"until": None if until is None else {unit: until}})


@freeze.probe(when="fit")
def it_stood_still(evidence: Evidence, match: str | None, layers: int | None) -> Proof:
    """The frozen weights have the same bits at their moment as at the start, and other ones at the end."""
    return held(evidence, [f"layers: {layers}" if match is None else f"match: {match}"])
