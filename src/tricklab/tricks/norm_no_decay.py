"""No weight decay for normalisations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._rules import rules_are_live, with_rules

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("norm_no_decay", source="He et al., CVPR 2019, arXiv 1812.01187; OpenMMLab's norm_decay_mult")
def norm_no_decay(recipe: Recipe) -> Recipe:
    """Leave normalisations without weight decay.

    All parameters of batch, layer, group, instance and RMS normalisations; biases of other layers keep their decay,
    which ``no_decay`` would take too. Needs a weight decay.
    """
    return with_rules(recipe, {"norm_decay_mult": 0.0})


@norm_no_decay.probe(when="first_steps")
def norms_are_spared(evidence: Evidence) -> Proof:
    """Some parameters of the built optimizer have no decay by this rule, and others have some."""
    return rules_are_live(evidence, ["paramwise.norm_decay_mult"])
