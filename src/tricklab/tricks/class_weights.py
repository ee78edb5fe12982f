"""Class weights in the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("class_weights", source="King & Zeng 2001 (balanced); Cui et al., CVPR 2019, arXiv 1901.05555 (effective)")
def class_weights(recipe: Recipe, kind: Literal["balanced", "effective"] = "balanced") -> Recipe:
    """Weight each class in the first loss by its rarity among the training samples.

    ``balanced``: n / (K n_c). ``effective``: by the effective number of samples with beta .999, which is milder for
    small classes.
    """
    return recipe.set("losses.0.class_weight", kind)


@class_weights.probe(when="first_steps")
def weights_differ(evidence: Evidence) -> Proof:
    """The built loss holds weights, and they are not all equal."""
    held = evidence.fact("loss/class_weights", {})
    weights = next((list(value) for value in held.values() if value), [])
    live = bool(weights) and max(weights) > min(weights) * (1 + 1e-6)
    shown = f"between {min(weights):.3g} and {max(weights):.3g}" if weights else "none"
    return Proof(live, f"class weights in the loss: {shown}", {"weights": weights})
