"""Linear warm-up, then cosine decay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._schedules import WARMUP, falls_below, scheduled
from tricklab.tricks._types import OpenShare, Positive, Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("warmup_cosine", source="Goyal et al., 2017, arXiv 1706.02677; Loshchilov & Hutter, ICLR 2017, arXiv 1608.03983")
def warmup_cosine(
    recipe: Recipe, epochs: Positive = 5.0, start_factor: OpenShare = 0.001, eta_min_ratio: Share = 0.0
) -> Recipe:
    """Raise the learning rate in a straight line over the first epochs, then lower it along half a cosine to the end.

    The cosine begins where the warm-up ends. Takes the place of the recipe's whole schedule. With ``+warmup +cosine``
    the cosine begins at the first step instead and both are multiplied.
    """
    rise = {"type": WARMUP, "end": epochs, "start_factor": start_factor, "unit": "epochs"}
    fall = {"type": "Cosine", "eta_min_ratio": eta_min_ratio, "unit": "epochs", "begin": epochs}
    return recipe.set("schedule", [rise, fall])


@warmup_cosine.probe(when="fit")
def rate_rose_and_fell(evidence: Evidence, eta_min_ratio: float) -> Proof:
    """The learning rate rose from its first value and fell nine tenths of the way to the share that was asked for."""
    proof = falls_below(evidence, "Cosine", 0.1 + 0.9 * eta_min_ratio)
    _, rates = evidence.series("lr")
    if not proof.live or scheduled(evidence, WARMUP) is None:
        return Proof(False, f"no warm-up and cosine: {proof.text}", proof.numbers)
    rose = float(rates[0]) < 0.999 * float(rates.max())
    return Proof(rose, f"it began at {float(rates[0]):.3g}; {proof.text}", proof.numbers | {"first": float(rates[0])})
