"""Run the rules of a phase over one Evidence. A rule that crashes is reported, and the rest goes on."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from tricklab.doctor import rules as rules_folder
from tricklab.doctor.finding import SEVERITIES, Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of the folder ``doctor/rules`` with its default thresholds, sorted by id."""
    found: dict[str, Rule] = {}
    for file in pkgutil.iter_modules(rules_folder.__path__):
        module = importlib.import_module(f"{rules_folder.__name__}.{file.name}")
        for cls in vars(module).values():
            if inspect.isclass(cls) and issubclass(cls, Rule) and cls is not Rule and cls.__module__ == module.__name__:
                assert cls.id not in found, f"two rules are named {cls.id}"
                found[cls.id] = cls()
    return tuple(found[key] for key in sorted(found))


def run_rules(evidence: Evidence, phase: Phase | None = None, rules: Sequence[Rule] | None = None) -> list[Finding]:
    """All findings of a phase (of every phase if None), gravest first.

    Args:
        evidence: what a run recorded, live or from its folder.
        phase: ``before``, ``first_steps``, ``training`` or ``evaluation``.
        rules: the rules to run; all of them if not given.
    """
    findings = []
    for rule in all_rules() if rules is None else rules:
        if phase is not None and phase not in rule.phases:
            continue
        try:
            finding = rule.check(evidence)
        except Exception as cause:
            finding = Finding(rule.id, "note", f"the rule itself failed: {type(cause).__name__}: {cause}")
        if finding is not None:
            findings.append(finding)
    return sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), found.rule))
