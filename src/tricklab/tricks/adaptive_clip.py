"""Adaptive gradient clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._clipping import were_clipped, with_clipping
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("adaptive_clip", source="Brock et al., ICML 2021, arXiv 2102.06171, equation 3; timm.utils.agc")
def adaptive_clip(recipe: Recipe, factor: Positive = 0.01, head: bool = False) -> Recipe:
    """Shrink the gradient of each unit to this share of the norm of its weights. Takes the place of another clipping.

    A unit is one output channel or neuron. The classifier is left out, as in the paper, unless ``head``.
    """
    return with_clipping(recipe, "clip_adaptive", factor).set("train.clip_adaptive_head", head)


@adaptive_clip.probe(when="fit")
def some_were_clipped(evidence: Evidence) -> Proof:
    """At least one unit's gradient was longer than its bound: a factor that is never reached does nothing."""
    return were_clipped(evidence, "clip_adaptive")
