"""What a training depends on beside its data, a teacher's weights and users' code: recorded, the same after a stop."""

from __future__ import annotations

from pathlib import Path

from tricklab.errors import UserError
from tricklab.recipe.schema import Settings
from tricklab.records import RunFolder
from tricklab.tasks.base import Task
from tricklab.user_modules import code_files


def sources_of(run: RunFolder, other: RunFolder | None, task: Task, settings: Settings) -> dict[str, str]:
    """{name: hash} of what the weights of a run are learned from; those of a training that is done are as recorded.

    Args:
        other: the run that trains for this one, or None.
        settings: the resolved recipe, which names a user's own code.

    Raises:
        UserError: one of them cannot be had or is not allowed, or is not that which the training began with.
    """
    known = recorded_sources(other or run)
    begun = run.checkpoint("resume").exists()
    if other is not None or (run.checkpoint("weights").exists() and not begun):
        return known
    found = {**task.sources(), **_code(settings)}
    changed = sorted(name for name in {*known, *found} if known.get(name) != found.get(name))
    if begun and changed:
        raise UserError(
            f"the training began with another {changed[0]}",
            where=str(run.path),
            fix="put it back, or train again as another run",
        )
    return found


def recorded_sources(run: RunFolder) -> dict[str, str]:
    """{name: hash} as the run's provenance has it."""
    found: dict[str, str] = run.provenance().get("execution", {}).get("sources", {})
    return found


def _code(settings: Settings) -> dict[str, str]:
    """Hashes of the user's own files: what the recipe imports, and the file of a network of their own."""
    names = list(settings.imports)
    if settings.model["type"] == "module":
        names.append(str(settings.model["target"]).rpartition(":")[0])
    return {
        f"code of {Path(name).stem}: {file}" if name.endswith(".py") else f"code of {name}": digest
        for name in names
        for file, digest in code_files(name).items()
    }
