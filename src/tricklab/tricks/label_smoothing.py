"""Label smoothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("label_smoothing", source="Szegedy et al., CVPR 2016, arXiv 1512.00567, section 7")
def label_smoothing(recipe: Recipe, value: Share = 0.1) -> Recipe:
    """Spread this share of each target evenly over all classes, in the first loss.

    The smoothed loss cannot reach 0, so its curve is not comparable with one without smoothing; the metric is.
    """
    return recipe.set("losses.0.label_smoothing", value)


@label_smoothing.probe(when="first_steps")
def certainty_costs(evidence: Evidence, value: float) -> Proof:
    """Scores that are certain and right cost what the smoothing says, instead of nothing."""
    perfect = evidence.fact("loss/perfect", {})
    if not perfect:
        return Proof(False, "the loss of certain and right scores is not recorded")
    cost = float(next(iter(perfect.values())))
    # 10 x one-hot scores: the smoothed part of the target costs 10 (1 - 1/K) of its share, half of that at K = 2
    return Proof(cost >= 4.9 * value, f"certain and right scores cost {cost:.3g}", {"cost": cost, "least": 4.9 * value})
