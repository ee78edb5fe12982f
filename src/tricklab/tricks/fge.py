"""Fast geometric ensembling: models along a short cyclic end of one training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.errors import UserError
from tricklab.tricks._averaging import average_scored
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._ensembles import members_differ
from tricklab.tricks._last_part import cycle_schedule, went_through_cycles
from tricklab.tricks._types import Positive, Several, Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("fge", source="Garipov et al., NeurIPS 2018, arXiv 1802.10026")
def fge(
    recipe: Recipe,
    members: Several = 5,
    start: Share = 0.75,
    high: Positive = 0.5,
    low: Positive = 0.005,
    shape: Literal["triangle", "linear"] = "triangle",
) -> Recipe:
    """From the share ``start`` on move the rate in short triangles, keep a model at each low point, average them.

    ``high`` and ``low`` are shares of the optimizer's rate. The probabilities of the models are averaged; evaluation
    costs ``members`` passes. The last triangle ends at its low point, so that no step is spent after the last model.
    With ``shape=linear`` the training is that of ``swa`` with ``lr_ratio=high`` and as many cycles, and the two
    evaluations share it.
    """
    if not low < high:
        raise UserError(f"the low rate ({low:g}) must lie below the high one ({high:g})")
    averaging = {"type": "Snapshots", "cycles": members, "start": start, "shape": shape}
    recipe = recipe.append("schedule", cycle_schedule(members, start, shape, high, low))
    return recipe.set("evaluate.averaging", averaging).set("evaluate.weights", "average")


@fge.probe(when="fit")
def rate_cycled(evidence: Evidence, members: int) -> Proof:
    """The learning rate fell once for each member."""
    return went_through_cycles(evidence, members)


@fge.probe(when="fit")
def models_differ(evidence: Evidence, members: int) -> Proof:
    """A model was kept at each low point, and no two are the same."""
    return members_differ(evidence, "Snapshots", members)


@fge.probe(when="evaluate")
def scored(evidence: Evidence) -> Proof:
    """The ensemble was what was scored."""
    return average_scored(evidence, "Snapshots")
