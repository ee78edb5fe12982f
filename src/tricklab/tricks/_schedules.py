"""What the learning-rate tricks share: the decay's place in the schedule, and the rates that were really set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tricklab.tricks._base import Proof, Recipe

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

WARMUP = "LinearWarmup"


def with_decay(recipe: Recipe, decay: dict[str, Any]) -> Recipe:
    """The recipe with this decay in place of the one it has; warm-ups and rates of the last part of the run stay."""
    items = recipe.get("schedule", [])
    places = [place for place, item in enumerate(items) if not _stays(item)]
    if not places:
        return recipe.append("schedule", decay)
    if len(places) == 1:
        return recipe.set(f"schedule.{places[0]}", decay)
    kept = [item for item in items if _stays(item)]
    return recipe.set("schedule", [*kept, decay])


def _stays(item: dict[str, Any]) -> bool:
    return item["type"] in (WARMUP, "SWALR") or (item["type"] == "EqualCycles" and item.get("start", 0) > 0)


def scheduled(evidence: Evidence, kind: str) -> dict[str, Any] | None:
    """The schedule item of that type in the recipe that ran."""
    return next((item for item in evidence.recipe.get("schedule", []) if item["type"] == kind), None)


def falls_below(evidence: Evidence, kind: str, share: float) -> Proof:
    """Whether the optimizer's learning rate, once at its highest, fell to that share of it."""
    _, rates = evidence.series("lr")
    if scheduled(evidence, kind) is None or len(rates) < 2:
        return Proof(
            False, f"{len(rates)} learning rates are logged; a {kind} in the schedule and two rates are needed"
        )
    highest = float(rates.max())
    lowest = float(rates[int(rates.argmax()) :].min())
    text = f"the learning rate fell from {highest:.3g} to {lowest:.3g}"
    return Proof(lowest <= share * highest, text, {"highest": highest, "lowest": lowest, "asked_share": share})
