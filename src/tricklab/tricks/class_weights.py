"""Class weights in the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("class_weights", source="King & Zeng 2001 (balanced); Cui et al., CVPR 2019 (effective); ENet, 2016 (log)")
def class_weights(
    recipe: Recipe, kind: Literal["balanced", "effective", "log"] = "balanced", beta: Share | None = None
) -> Recipe:
    """Weight each class in the first loss by its rarity among the training samples, such as pixels.

    ``balanced``: n / (K n_c). ``log``: 1 / ln(1.02 + n_c / n), no class 36 times as heavy as another. ``effective``: by
    the effective number of samples, (1 - beta^n_c) / (1 - beta), which is milder for small classes; where each class
    has thousands, such as pixels, ``beta=0.999`` (the default) makes hardly a difference, .999999 does.
    """
    recipe = recipe.set("losses.0.class_weight", kind)
    if beta is None:
        return recipe
    if kind != "effective":
        raise UserError(f"only effective numbers have a beta, not {kind}", where="class_weights", fix="kind=effective")
    # TverskyLoss calls its factor on what was missed beta
    key = "class_beta" if recipe.get("losses.0.type", "") == "TverskyLoss" else "beta"
    return recipe.set(f"losses.0.{key}", beta)


@class_weights.probe(when="first_steps")
def weights_differ(evidence: Evidence) -> Proof:
    """The built loss holds weights, and they are not all equal."""
    held = evidence.fact("loss/class_weights", {})
    weights = next((list(value) for value in held.values() if value), [])
    live = bool(weights) and max(weights) > min(weights) * (1 + 1e-6)
    shown = f"between {min(weights):.3g} and {max(weights):.3g}" if weights else "none"
    return Proof(live, f"class weights in the loss: {shown}", {"weights": weights})
