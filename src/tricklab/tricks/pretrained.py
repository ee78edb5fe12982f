"""First weights that were learned elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("pretrained", tasks="classification", source="Yosinski et al., NIPS 2014, arXiv 1411.1792")
def pretrained(recipe: Recipe, weights: str | None = None) -> Recipe:
    """Begin with weights that were learned on other data instead of random ones.

    Without a file the network's published weights are taken, from the hub's cache or the network; with ``weights`` a
    local file's. A classifier for another number of classes keeps its random weights. Images should be normalised as
    those weights know them: ``+normalise(kind=model)``.
    """
    if weights is None and not recipe.has("model.pretrained"):
        name = recipe.get("model.type")
        raise UserError(
            f"no published weights of {name} can be fetched by name", where="weights", fix="name a file: weights=FILE"
        )
    changes = {"pretrained": weights is None, "weights": weights, "weights_digest": None}
    for key, value in changes.items():
        if recipe.has(f"model.{key}") or (key == "weights" and value is not None):
            recipe = recipe.set(f"model.{key}", value)
    return recipe


@pretrained.probe(when="first_steps")
def weights_came_from_there(evidence: Evidence, weights: str | None) -> Proof:
    """The network began with tensors of that source, and not with its classifier alone."""
    found = evidence.fact("model/weights_loaded")
    if found is None:
        return Proof(False, "the network began with random weights")
    fresh = ", ".join(found["kept"]) or "none"
    text = f"{found['loaded']} tensors from {found['source']}; random: {fresh}"
    there = weights is None or Path(found["source"]).name == Path(weights).name
    return Proof(there and found["loaded"] > 0, text, {"loaded": found["loaded"], "random": len(found["kept"])})
