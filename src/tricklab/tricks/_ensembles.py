"""Proofs that an ensemble or a soup has the members that were asked for, and that they are different models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


def members_differ(evidence: Evidence, kind: str, members: int) -> Proof:
    """Whether so many sets of weights were kept and no two of them are the same."""
    asked = (evidence.recipe.get("evaluate", {}).get("averaging") or {}).get("type")
    distance = evidence.fact("averaging/distance")
    if asked != kind or distance is None:
        return Proof(False, f"averaging in the recipe: {asked}; distances recorded: {distance is not None}")
    kept, spread = distance["updates"], distance.get("spread")
    live = kept == members and (members == 1 or (spread is not None and spread > 0))
    apart = "nothing to compare" if spread is None else f"the two nearest are {spread:.3g} apart"
    return Proof(live, f"{kept} of {members} members were kept; {apart}", {"members": kept, "spread": spread})
