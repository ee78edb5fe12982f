"""Learning rates and weight decay of kinds of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._rules import rules_are_live, with_rules
from tricklab.tricks._types import Amount

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("paramwise", source="OpenMMLab, mmengine's DefaultOptimWrapperConstructor: paramwise_cfg")
def paramwise(
    recipe: Recipe,
    bias_lr: Amount | None = None,
    offset_lr: Amount | None = None,
    norm_decay: Amount | None = None,
    bias_decay: Amount | None = None,
    dwconv_decay: Amount | None = None,
    flat_decay: Amount | None = None,
) -> Recipe:
    """Multiply the learning rate or weight decay of biases, normalisations, depthwise convolutions, vectors, offsets.

    Such as ``bias_lr=2, bias_decay=0``, as Caffe's detectors had it. Rules that are not given stay as they are;
    ``optimizer.paramwise`` says what each covers.
    """
    rules = _rules(bias_lr, offset_lr, norm_decay, bias_decay, dwconv_decay, flat_decay)
    if not rules:
        raise UserError("no rule is given", fix="such as bias_lr=2, norm_decay=0")
    return with_rules(recipe, rules)


@paramwise.probe(when="first_steps")
def every_rule_decides(
    evidence: Evidence,
    bias_lr: float | None,
    offset_lr: float | None,
    norm_decay: float | None,
    bias_decay: float | None,
    dwconv_decay: float | None,
    flat_decay: float | None,
) -> Proof:
    """Each rule decides some parameters of the built optimizer, and others have another rate or decay."""
    rules = _rules(bias_lr, offset_lr, norm_decay, bias_decay, dwconv_decay, flat_decay)
    return rules_are_live(evidence, [f"paramwise.{rule}" for rule in rules])


def _rules(*values: float | None) -> dict[str, float]:
    rates, decays = ("bias_lr_mult", "dcn_offset_lr_mult"), ("norm", "bias", "dwconv", "flat")
    names = (*rates, *(f"{kind}_decay_mult" for kind in decays))
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}
