"""Focal loss in place of the cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

_KEPT = ("name", "on", "weight", "class_weight", "ignore_index", "beta", "use_sigmoid", "sampler")


@trick("focal", source="Lin et al., ICCV 2017, arXiv 1708.02002")
def focal(recipe: Recipe, gamma: Positive = 2.0) -> Recipe:
    """Scale the first loss's cross-entropy down where the true class is already likely, by (1 - p)^gamma.

    Class weights, sampler and weight stay. val/loss is no longer comparable with that of other arms.
    """
    first = recipe.get("losses.0", {"type": "CrossEntropyLoss"})
    if first["type"] != "CrossEntropyLoss":
        raise UserError(f"the first loss is a {first['type']}, not a CrossEntropyLoss", where="losses.0.type")
    if first.get("label_smoothing"):
        raise UserError("focal loss smooths no labels", where="losses.0.label_smoothing", fix="0")
    kept = {key: first[key] for key in _KEPT if first.get(key) is not None}
    divisor = {"divisor": "all"} if first.get("divisor") == "all" else {}
    return recipe.set("losses.0", {"type": "FocalLoss", **kept, **divisor, "gamma": gamma})


@focal.probe(when="first_steps")
def sure_samples_weigh_less(evidence: Evidence) -> Proof:
    """The mean factor of what has a label lies below 1."""
    _, factor = evidence.series("observe/focal/factor")
    if not len(factor):
        return Proof(False, "no loss was scaled down")
    mean = float(factor.mean())
    return Proof(mean < 1, f"the loss of a sample was scaled by {mean:.3f} on the average", {"factor": mean})
