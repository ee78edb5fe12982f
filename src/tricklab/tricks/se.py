"""Squeeze and excitation after a named module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Count

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("se", stage="fit", source="Hu et al., Squeeze-and-Excitation Networks, CVPR 2018, arXiv 1709.01507")
def se(recipe: Recipe, after: str = "conv2d", reduction: Count = 16) -> Recipe:
    """Scale each channel by a gate learned from the channel means.

    Adds 2 channels² / reduction weights behind the module ``after`` (a name, or a pattern with * and ?). The other
    weights of the network keep their names and, in the same block, their initial values.
    """
    return recipe.append("model.insert", {"type": "SE", "after": after, "reduction": reduction})


@se.probe(when="first_steps")
def gates_differ(evidence: Evidence) -> Proof:
    """An SE module stands in the built model, ran, and gave channels different gates inside (0, 1)."""
    modules = [name for name, kind in evidence.fact("model/modules", {}).items() if kind == "SE"]
    _, lowest = evidence.series("observe/se/scale/min")
    _, highest = evidence.series("observe/se/scale/max")
    if not modules or not len(lowest):
        return Proof(False, f"{len(modules)} SE modules in the model, {len(lowest)} rows with gates")
    low, high = float(lowest.min()), float(highest.max())
    live = 0.0 <= low < high <= 1.0
    text = f"SE at {', '.join(modules)}; gates between {low:.3f} and {high:.3f}"
    return Proof(live, text, {"modules": len(modules), "lowest": low, "highest": high})
