"""What the tricks that set rules for kinds of parameters share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


def with_rules(recipe: Recipe, rules: Mapping[str, float]) -> Recipe:
    """The recipe with rules of ``optimizer.paramwise`` added to those that it has."""
    return recipe.set("optimizer.paramwise", {**(recipe.get("optimizer.paramwise") or {}), **rules})


def rules_are_live(evidence: Evidence, rules: Sequence[str]) -> Proof:
    """Whether each rule decides some parameters of the built optimizer, and others have another rate or decay."""
    known, groups = evidence.fact("optimizer/rules", {}), evidence.fact("optimizer/groups", [])
    said, live, numbers = [], bool(rules), {}
    for rule in rules:
        setting = "lr" if rule.endswith("lr_mult") else "weight_decay"
        decided = known.get(rule, {"count": 0, "parts": [], setting: []})
        others = {group[setting] for group in groups} - set(decided[setting])
        live = live and decided["count"] > 0 and bool(others)
        numbers[rule] = decided["count"]
        shown = ", ".join(f"{value:.3g}" for value in decided[setting])
        said.append(
            f"{rule} gives {decided['count']} parameters ({', '.join(decided['parts'])}) {setting} {shown}"
            + ("" if others else ", as all others have")
            if decided["count"]
            else f"{rule} decides no parameter"
        )
    return Proof(live, "; ".join(said) or "no rule was given", numbers)
