"""Adam with decoupled weight decay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._optimizers import steps_with, with_optimizer
from tricklab.tricks._types import Amount, Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("adamw", source="Loshchilov & Hutter, ICLR 2019, arXiv 1711.05101; torch.optim.AdamW")
def adamw(recipe: Recipe, weight_decay: Amount = 0.01, lr: Positive | None = None) -> Recipe:
    """Train with AdamW: the decay shrinks the weights themselves instead of joining the gradient.

    The recipe's learning rate stays unless ``lr`` is given, and so do parameter groups.
    """
    optimizer = {"type": "AdamW", "weight_decay": weight_decay} | ({} if lr is None else {"lr": lr})
    adam = ("betas", "eps", "amsgrad") if recipe.get("optimizer.type") in ("Adam", "AdamW") else ()
    return with_optimizer(recipe, optimizer, keep=("lr", *adam))


@adamw.probe(when="first_steps")
def is_adamw(evidence: Evidence) -> Proof:
    """The optimizer that was built is AdamW."""
    return steps_with(evidence, "AdamW")
