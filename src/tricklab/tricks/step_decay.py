"""Learning-rate drops at given moments."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._schedules import falls_below, with_decay
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("step_decay", source="He et al., CVPR 2016 (drops at plateaus); torch.optim.lr_scheduler.MultiStepLR")
def step_decay(
    recipe: Recipe,
    at: list[Positive],
    gamma: Positive = 0.1,
    unit: Literal["epochs", "iterations", "samples"] = "epochs",
) -> Recipe:
    """Multiply the learning rate by gamma at each given moment.

    ``at=[41, 76]`` acts from the epochs 41 and 76 (counted from 0) on, as ``if epoch > 40`` in a training loop does.
    Takes the place of another decay; multiplies with a warm-up.
    """
    if not at or any(late <= early for early, late in itertools.pairwise(at)):
        raise UserError(f"at must hold rising moments, not {at}", fix="write +step_decay(at=[41, 76])")
    return with_decay(recipe, {"type": "MultiStep", "milestones": at, "gamma": gamma, "unit": unit})


@step_decay.probe(when="fit")
def rate_dropped(evidence: Evidence, gamma: float) -> Proof:
    """The optimizer's learning rate really fell by gamma: a milestone beyond the end of training is no decay."""
    return falls_below(evidence, "MultiStep", gamma * 1.001)
