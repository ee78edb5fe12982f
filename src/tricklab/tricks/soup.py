"""Model soup inside one budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.tricks._averaging import average_scored
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._ensembles import members_differ
from tricklab.tricks._types import Positive, Several, Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("soup", source="Wortsman et al., ICML 2022, arXiv 2203.05482")
def soup(
    recipe: Recipe,
    members: Several = 3,
    start: Share = 0.5,
    mix: Literal["uniform", "greedy", "ensemble"] = "uniform",
    lr_ratios: list[Positive] | None = None,
) -> Recipe:
    """Branch after the share ``start`` of the run into ``members`` continuations; mix the weights at their ends.

    The continuations share the steps that are left, one after the other, each with its own order, augmentation and
    dropout, and on request its own factor on the learning rate; the schedule sees the path from the start to one end.
    The mean of the weights is scored beside each end alone. ``greedy`` takes an end in only if the validation score
    does not fall, and so needs a metric of the test set; ``ensemble`` averages probabilities instead of weights.
    """
    branches = {"members": members, "start": start, "lr_ratios": lr_ratios}
    recipe = recipe.set("train.branches", branches)
    return recipe.set("evaluate.averaging", {"type": "Soup", "mix": mix}).set("evaluate.weights", "average")


@soup.probe(when="fit")
def ends_differ(evidence: Evidence, members: int) -> Proof:
    """Every continuation left its weights, and no two are the same."""
    return members_differ(evidence, "Soup", members)


@soup.probe(when="evaluate")
def scored(evidence: Evidence) -> Proof:
    """The soup was what was scored."""
    return average_scored(evidence, "Soup")
