"""The run whose trained weights another one evaluates."""

from __future__ import annotations

from pathlib import Path

from tricklab.errors import UserError
from tricklab.records.run_folder import RunFolder


def sibling(run: RunFolder) -> RunFolder | None:
    """The run whose trained weights this one evaluates, or None if it trains itself.

    Raises:
        UserError: it is not there or not finished.
    """
    fit_from = run.declared.get("fit_from")
    if not fit_from:
        return None
    place = Path(run.path).resolve().parents[1] / fit_from
    other = RunFolder.open(place)
    state = other.status()["state"]
    if state != "finished":
        raise UserError(f"the run that trains for this one is {state}", where=str(place), fix="run it first")
    return other
