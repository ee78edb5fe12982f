"""Linear warm-up of the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._schedules import WARMUP, scheduled
from tricklab.tricks._types import Count, OpenShare, Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

_DEFAULT_EPOCHS = 5.0


@trick("warmup", source="Goyal et al., 2017, arXiv 1706.02677, section 2.2")
def warmup(
    recipe: Recipe,
    epochs: Positive | None = None,
    iterations: Count | None = None,
    start_factor: OpenShare = 0.001,
) -> Recipe:
    """Raise the learning rate in a straight line from almost nothing over the first epochs.

    Over 5 epochs unless ``epochs`` or ``iterations`` says otherwise; starts at ``start_factor`` of the rate. Multiplies
    with a decay and takes the place of another warm-up.
    """
    if epochs is not None and iterations is not None:
        raise UserError("epochs and iterations are both given", fix="give one of them")
    unit = "epochs" if iterations is None else "iterations"
    end = iterations if iterations is not None else epochs if epochs is not None else _DEFAULT_EPOCHS
    item = {"type": WARMUP, "end": end, "start_factor": start_factor, "unit": unit}
    for place, known in enumerate(recipe.get("schedule", [])):
        if known["type"] == WARMUP:
            return recipe.set(f"schedule.{place}", item)
    return recipe.append("schedule", item)


@warmup.probe(when="first_steps")
def rate_rises(evidence: Evidence) -> Proof:
    """The optimizer's first learning rates lie below the recipe's and rise."""
    _, rates = evidence.series("lr")
    full = evidence.recipe.get("optimizer", {}).get("lr")
    if scheduled(evidence, WARMUP) is None or not len(rates) or full is None:
        return Proof(
            False, f"{len(rates)} learning rates are logged; a warm-up in the schedule and one rate are needed"
        )
    first, last = float(rates[0]), float(rates[-1])
    text = f"the learning rate began at {first:.3g} and reached {last:.3g} of {full:.3g}"
    live = first < 0.999 * full and (len(rates) == 1 or last > first)
    return Proof(live, text, {"first": first, "last": last, "full": full})
