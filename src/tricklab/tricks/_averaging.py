"""Proofs that averaged weights exist, moved and were scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


def average_moves(evidence: Evidence, kind: str, least_updates: int = 1) -> Proof:
    """Whether an average of that kind was updated and differs from the raw and from the initial weights."""
    asked = (evidence.recipe.get("evaluate", {}).get("averaging") or {}).get("type")
    distance = evidence.fact("averaging/distance")
    if asked != kind or distance is None:
        return Proof(False, f"averaging in the recipe: {asked}; distances recorded: {distance is not None}")
    updates, to_raw, to_initial = distance["updates"], distance["to_raw"], distance["to_initial"]
    live = updates >= least_updates and to_raw > 0 and to_initial > 0
    text = f"{updates} updates; the average is {to_raw:.3g} from the raw and {to_initial:.3g} from the initial weights"
    return Proof(live, text, {key: distance[key] for key in ("updates", "to_raw", "to_initial")})


def average_scored(evidence: Evidence, kind: str) -> Proof:
    """Whether the averaged weights were evaluated beside the raw ones, and are what the recipe scores."""
    evaluate = evidence.recipe.get("evaluate", {})
    asked = (evaluate.get("averaging") or {}).get("type")
    rows = [row for row in evidence.rows if row.get("phase") in ("val", "test")]
    rows_scored = sum(any("/averaged_" in key for key in row) for row in rows)
    scored = rows_scored > 0 or bool((evidence.result or {}).get("averaged"))
    live = asked == kind and evaluate.get("weights") == "average" and scored
    text = f"evaluate.weights is {evaluate.get('weights')!r}; averaged weights scored in {rows_scored} evaluations"
    return Proof(live, text, {"evaluations": rows_scored})
