"""Residual branches left out at random for whole batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drop_path import branches_drop
from tricklab.tricks._types import OpenShare

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("stochastic_depth", tasks="classification", source="Huang et al., ECCV 2016, arXiv 1603.09382")
def stochastic_depth(recipe: Recipe, rate: OpenShare = 0.2) -> Recipe:
    """Leave out residual branches while training, drawn once for the whole batch.

    The chance grows to ``rate`` at the last block. As ``drop_path``, but a branch is left out for all images or none;
    the paper's own rate is 0.5 for 54 blocks.
    """
    return recipe.set("model.drop_path", rate).set("train.drop_path_per", "batch")


@stochastic_depth.probe(when="first_steps")
def branches_have_it(evidence: Evidence, rate: float) -> Proof:
    """The built model leaves out branches, for whole batches, with chances up to the asked one."""
    return branches_drop(evidence, rate, per="batch")
