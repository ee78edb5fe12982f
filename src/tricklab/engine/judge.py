"""Looks at a run while it goes on: liveness probes of its tricks, and the doctor's rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tricklab import doctor, tricks
from tricklab.doctor.finding import Phase
from tricklab.ops.ranks import ranks
from tricklab.records import Evidence, RunFolder
from tricklab.records.evidence import facts_of


class NotLive(Exception):
    """A trick was asked for and did nothing.

    Args:
        trick: its name.
        text: what its probe found.
    """

    def __init__(self, trick: str, text: str) -> None:
        self.trick, self.text = trick, text
        super().__init__(f"the trick {trick!r} was asked for and did nothing: {text}")


class Judge:
    """Runs probes and rules over the evidence of one run.

    Args:
        run: the run's folder.
        recipe: its resolved tree.
        calls: the trick calls that were applied.
        say: called once with the text of every new finding.
    """

    def __init__(
        self,
        run: RunFolder,
        recipe: dict[str, Any],
        calls: Sequence[Any],
        say: Callable[[str, str], None] = lambda severity, text: None,
    ) -> None:
        self.run, self.recipe, self.say = run, recipe, say
        self._probes = list(tricks.probes(calls))
        self.events: list[dict[str, Any]] = run.events()
        self._reported = {event["rule"] for event in self.events if event["kind"] == "finding"}

    def fact(self, name: str, value: Any) -> None:
        """Record a fact in the folder and in the live evidence."""
        self.events.append(self.run.event("fact", name=name, value=value))

    def event(self, kind: str, **fields: Any) -> None:
        """Record an event in the folder and in the live evidence."""
        self.events.append(self.run.event(kind, **fields))

    def facts(self) -> dict[str, Any]:
        """The facts so far by name."""
        return facts_of(self.events)

    def evidence(self, rows: list[dict[str, Any]], result: dict[str, Any] | None = None) -> Evidence:
        """What is known now."""
        return Evidence(self.recipe, rows, self.facts(), self.events, result, self.run.status())

    def probe(self, when: str, evidence: Evidence) -> None:
        """Run the probes of a moment: ``first_steps``, ``fit`` or ``evaluate``.

        Raises:
            NotLive: a probe says that its trick did nothing, or cannot judge.
        """
        for call, moment, function in self._probes if ranks().first else ():
            if moment != when:
                continue
            try:
                proof = function(evidence)
                live, text, numbers = bool(proof.live), proof.text, proof.numbers
            except Exception as cause:
                live, text, numbers = False, f"its probe could not judge: {type(cause).__name__}: {cause}", {}
            self.event("probe", trick=call.name, when=when, live=live, text=text, numbers=numbers)
            if not live:
                raise NotLive(call.name, text)

    def diagnose(self, phase: Phase, evidence: Evidence) -> None:
        """Run the doctor's rules of a phase; each rule speaks once in a run."""
        for finding in doctor.run_rules(evidence, phase) if ranks().first else ():
            if finding.rule in self._reported:
                continue
            self._reported.add(finding.rule)
            self.event("finding", phase=phase, **finding.to_dict())
            self.say(finding.severity, f"{finding.rule}: {finding.title}")
