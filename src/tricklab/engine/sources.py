"""What a training learns from beside its data, such as a teacher's weights: recorded, and the same after a stop."""

from __future__ import annotations

from tricklab.errors import UserError
from tricklab.records import RunFolder
from tricklab.tasks.base import Task


def sources_of(run: RunFolder, other: RunFolder | None, task: Task) -> dict[str, str]:
    """{name: hash} of what the weights of a run are learned from; those of a training that is done are as recorded.

    Args:
        other: the run that trains for this one, or None.

    Raises:
        UserError: one of them cannot be had or is not allowed, or is not that which the training began with.
    """
    known = recorded_sources(other or run)
    begun = run.checkpoint("resume").exists()
    if other is not None or (run.checkpoint("weights").exists() and not begun):
        return known
    found = task.sources()
    changed = sorted(name for name in {*known, *found} if known.get(name) != found.get(name))
    if begun and changed:
        raise UserError(
            f"the training began with another {changed[0]}",
            where=str(run.path),
            fix="put the same weights back, or train again as another run",
        )
    return found


def recorded_sources(run: RunFolder) -> dict[str, str]:
    """{name: hash} as the run's provenance has it."""
    found: dict[str, str] = run.provenance().get("execution", {}).get("sources", {})
    return found
