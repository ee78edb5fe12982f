"""Snapshot ensemble: several models from one training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._averaging import average_scored
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._ensembles import members_differ
from tricklab.tricks._last_part import cycle_schedule, went_through_cycles
from tricklab.tricks._schedules import with_decay
from tricklab.tricks._types import Several

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("snapshot", source="Huang et al., Snapshot Ensembles, ICLR 2017, arXiv 1704.00109")
def snapshot(recipe: Recipe, members: Several = 5) -> Recipe:
    """Let the rate fall along a cosine ``members`` times, keep the model after each, average their probabilities.

    The cycles share the recipe's steps, so each member has had less training than one long run; they take the place of
    another decay. Evaluation costs ``members`` passes. The last model alone is scored beside the ensemble.
    """
    recipe = with_decay(recipe, cycle_schedule(members, 0.0, "cosine", 1.0, 0.0))
    averaging = {"type": "Snapshots", "cycles": members, "start": 0.0, "shape": "cosine"}
    return recipe.set("evaluate.averaging", averaging).set("evaluate.weights", "average")


@snapshot.probe(when="fit")
def rate_restarted(evidence: Evidence, members: int) -> Proof:
    """The learning rate fell once for each member."""
    return went_through_cycles(evidence, members)


@snapshot.probe(when="fit")
def models_differ(evidence: Evidence, members: int) -> Proof:
    """A model was kept after each cycle, and no two are the same."""
    return members_differ(evidence, "Snapshots", members)


@snapshot.probe(when="evaluate")
def scored(evidence: Evidence) -> Proof:
    """The ensemble was what was scored."""
    return average_scored(evidence, "Snapshots")
