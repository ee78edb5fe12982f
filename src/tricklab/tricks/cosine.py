"""Cosine decay of the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._schedules import falls_below, with_decay
from tricklab.tricks._types import Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("cosine", source="Loshchilov & Hutter, SGDR, ICLR 2017, arXiv 1608.03983 (without restarts)")
def cosine(recipe: Recipe, eta_min_ratio: Share = 0.0) -> Recipe:
    """Lower the learning rate along half a cosine over the whole training.

    ``eta_min_ratio`` is the share of the learning rate that is left at the end. Takes the place of another decay;
    multiplies with a warm-up.
    """
    return with_decay(recipe, {"type": "Cosine", "eta_min_ratio": eta_min_ratio})


@cosine.probe(when="fit")
def rate_fell(evidence: Evidence, eta_min_ratio: float) -> Proof:
    """The learning rate fell at least nine tenths of the way from its highest to the share that was asked for."""
    return falls_below(evidence, "Cosine", 0.1 + 0.9 * eta_min_ratio)
