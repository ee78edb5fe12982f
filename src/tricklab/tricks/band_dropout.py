"""Bands of training windows set to zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._types import OpenShare

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("band_dropout", tasks="hyperspectral", source="Srivastava et al., JMLR 15, 2014 (dropout on the input's bands)")
def band_dropout(recipe: Recipe, p: OpenShare = 0.1) -> Recipe:
    """Set each band of a training window to zero with chance p, so that the network does not lean on single bands."""
    return recipe.append("data.augment", {"type": "BandDropout", "p": p})


@band_dropout.probe(when="fit")
def bands_were_dropped(evidence: Evidence) -> Proof:
    """A share of the training windows lost bands."""
    return was_drawn(evidence, "BandDropout")
