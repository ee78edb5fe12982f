"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._optimizers import steps_with, with_optimizer
from tricklab.tricks._types import Positive, Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("sgd", source="Sutskever et al., ICML 2013 (momentum); torch.optim.SGD")
def sgd(recipe: Recipe, lr: Positive, momentum: Share = 0.9, nesterov: bool = False) -> Recipe:
    """Train with SGD and momentum instead of the recipe's optimizer.

    ``lr`` must be given: a rate that suits Adam is 10 to 100 times too low. Weight decay and parameter groups stay.
    """
    return with_optimizer(recipe, {"type": "SGD", "lr": lr, "momentum": momentum, "nesterov": nesterov})


@sgd.probe(when="first_steps")
def is_sgd(evidence: Evidence) -> Proof:
    """The optimizer that was built is SGD."""
    return steps_with(evidence, "SGD")
