"""One cycle of the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._schedules import scheduled, with_decay
from tricklab.tricks._types import Factor, OpenShare

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("one_cycle", source="Smith & Topin, Super-Convergence, 2018, arXiv 1708.07120; torch OneCycleLR")
def one_cycle(recipe: Recipe, pct_start: OpenShare = 0.3, div_factor: Factor = 25.0) -> Recipe:
    """Raise the learning rate from a div_factor-th of the optimizer's to all of it, then let it fall to almost nothing.

    ``pct_start`` is the share of the steps that rise; momentum moves the other way. Takes the place of another decay.
    The optimizer's learning rate is the peak: a rate that suits a constant schedule is usually too low for it.
    """
    return with_decay(recipe, {"type": "OneCycle", "pct_start": pct_start, "div_factor": div_factor})


@one_cycle.probe(when="fit")
def rate_rose_and_fell(evidence: Evidence) -> Proof:
    """The optimizer's learning rate rose above its first and fell below it in the end."""
    _, rates = evidence.series("lr")
    if scheduled(evidence, "OneCycle") is None or len(rates) < 3:
        return Proof(
            False, f"{len(rates)} learning rates are logged; a cycle in the schedule and three rates are needed"
        )
    first, highest, last = float(rates[0]), float(rates.max()), float(rates[-1])
    text = f"the learning rate rose from {first:.3g} to {highest:.3g} and ended at {last:.3g}"
    return Proof(first < highest and last < first, text, {"first": first, "highest": highest, "last": last})
