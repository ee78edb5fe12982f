"""What is known of a run: the same object built live by the engine and afterwards from a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Evidence:
    """Everything that probes and the doctor's rules may read.

    Attributes:
        recipe: the resolved recipe as a tree of plain data.
        rows: rows of ``metrics.jsonl`` so far, each with ``phase``, ``step``, ``epoch``, ``samples_seen``, ``wall_s``.
        facts: what engine and task recorded by name; the last record of a name wins.
        events: rows of ``events.jsonl``, each with ``kind``.
        result: ``result.json``, or None while there is none.
        status: ``status.json``; its ``state`` says planned, running, finished, ...
    """

    recipe: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    result: dict[str, Any] | None = None
    status: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str]) -> Evidence:
        """Read a run folder.

        Raises:
            UserError: it is no run folder, or a file in it is damaged.
        """
        from tricklab.records.run_folder import RunFolder

        folder = RunFolder.open(path)
        events = folder.events()
        return cls(
            recipe=folder.recipe,
            rows=folder.metrics(),
            facts=facts_of(events),
            events=events,
            result=folder.result(),
            status=folder.status(),
        )

    def series(self, key: str, phase: str = "train") -> tuple[np.ndarray, np.ndarray]:
        """Steps (n,) int64 and values (n,) float64 of the rows of a phase that hold ``key`` as a number.

        >>> Evidence(rows=[{"phase": "train", "step": 10, "loss": 0.5}, {"phase": "val", "step": 10}]).series("loss")
        (array([10]), array([0.5]))
        """
        import numpy as np

        found = [
            (row["step"], row[key])
            for row in self.rows
            if row.get("phase") == phase and isinstance(row.get(key), int | float)
        ]
        steps = np.array([step for step, _ in found], dtype=np.int64)
        return steps, np.array([value for _, value in found], dtype=np.float64)

    def fact(self, name: str, default: Any = None) -> Any:
        """The fact recorded under ``name``, or ``default``."""
        return self.facts.get(name, default)


def facts_of(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Facts by name out of events of kind ``fact``; the last record of a name wins."""
    return {event["name"]: event["value"] for event in events if event.get("kind") == "fact"}
