"""Residual branches left out at random for single images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drop_path import branches_drop
from tricklab.tricks._types import OpenShare

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "drop_path", tasks="classification", source="Larsson et al., FractalNet, ICLR 2017, arXiv 1605.07648; timm DropPath"
)
def drop_path(recipe: Recipe, rate: OpenShare = 0.1) -> Recipe:
    """Leave out residual branches while training, drawn for each image by itself.

    The chance grows from 0 at the first block to ``rate`` at the last. Needs a model with the key ``drop_path``: timm's
    and GroupMamba.
    """
    return recipe.set("model.drop_path", rate)


@drop_path.probe(when="first_steps")
def branches_have_it(evidence: Evidence, rate: float) -> Proof:
    """The built model leaves out branches with chances up to the asked one."""
    return branches_drop(evidence, rate, per=None)
