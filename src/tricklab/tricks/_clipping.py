"""What the clipping tricks share: one kind at a time, and the share of the steps that were cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

KINDS = ("clip_norm", "clip_value", "clip_adaptive")


def with_clipping(recipe: Recipe, kind: str, bound: float) -> Recipe:
    """The recipe with this clipping of gradients in place of any other."""
    for other in KINDS:
        if other != kind and recipe.get(f"train.{other}", None) is not None:
            recipe = recipe.set(f"train.{other}", None)
    return recipe.set(f"train.{kind}", bound)


def were_clipped(evidence: Evidence, kind: str) -> Proof:
    """Whether the run clipped in this way and at least one step's gradient was cut."""
    if evidence.recipe.get("train", {}).get(kind) is None:
        return Proof(False, f"the recipe has no {kind}")
    _, shares = evidence.series("clipped")
    if not len(shares):
        return Proof(False, "no clipped share was recorded")
    share = float(shares.mean())
    live = bool(shares.max() > 0)
    return Proof(live, f"{share:.1%} of the steps were clipped", {"share": share, "highest": float(shares.max())})
