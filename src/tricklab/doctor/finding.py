"""What a rule is and what it finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from tricklab.records import Evidence

Severity = Literal["error", "warning", "note"]
Phase = Literal["before", "first_steps", "training", "evaluation"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing a rule found.

    Args:
        rule: the rule's id, for example ``O04``.
        severity: ``error`` (the result cannot be used), ``warning`` (it may mislead), ``note``.
        title: one sentence that says what was found, numbers included.
        numbers: the evidence.
        causes: likely causes, likeliest first.
        cheapest_test: the cheapest thing to do that would tell the causes apart.
        fix: the recipe diff that would cure it, as ``key=value`` or ``+trick`` items; empty where there is none.
    """

    rule: str
    severity: Severity
    title: str
    numbers: dict[str, Any] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
    cheapest_test: str = ""
    fix: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "causes": list(self.causes), "fix": list(self.fix)}


class Rule:
    """One condition on Evidence. Thresholds are constructor arguments with the defaults of the rule list.

    A rule returns None when it finds nothing or when the facts that it reads were not recorded.
    """

    id: ClassVar[str]
    phases: ClassVar[tuple[Phase, ...]]

    def check(self, evidence: Evidence) -> Finding | None:
        """Look at the evidence."""
        raise NotImplementedError
