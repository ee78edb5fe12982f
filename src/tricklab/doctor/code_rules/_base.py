"""What a rule on code is."""

from __future__ import annotations

from collections.abc import Callable

from tricklab.doctor.code import Code
from tricklab.doctor.finding import SEVERITIES, Finding

CodeRule = Callable[[Code], Finding | None]
CODE_RULES: dict[str, CodeRule] = {}


def code_rule(function: CodeRule) -> CodeRule:
    """Declare a rule; its name is the function's."""
    assert function.__name__ not in CODE_RULES, f"two rules on code are named {function.__name__}"
    CODE_RULES[function.__name__] = function
    return function


def run_code_rules(code: Code) -> list[Finding]:
    """Every finding in a text's code, gravest first; a rule that crashes is reported, and the rest goes on."""
    findings = []
    for name, rule in CODE_RULES.items():
        try:
            finding = rule(code)
        except Exception as cause:
            finding = Finding(name, "note", f"the rule itself failed: {type(cause).__name__}: {cause}")
        if finding is not None:
            findings.append(finding)
    return sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), found.rule))


def plain(values: tuple[float, ...] | list[float]) -> str:
    """Numbers for a sentence."""
    return ", ".join(f"{value:.3g}" for value in values)
