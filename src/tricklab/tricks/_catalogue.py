"""Every trick there is: the files of this folder, plugins under the entry-point group ``tricklab``, users' imports."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from tricklab.errors import UserError, nearest
from tricklab.recipe.calls import TrickCall
from tricklab.tricks._arguments import bind
from tricklab.tricks._base import REGISTERED, Proof, Trick, When

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

GROUP = "tricklab"


def catalogue() -> list[Trick]:
    """All tricks, sorted by name.

    >>> [trick.name for trick in catalogue()][:2]
    ['adamw', 'band_dropout']
    """
    _import_all()
    return [REGISTERED[name] for name in sorted(REGISTERED)]


def get(name: str, where: str | None = None) -> Trick:
    """The trick of that name.

    Raises:
        UserError: there is none; names the nearest.
    """
    _import_all()
    if name not in REGISTERED:
        raise UserError(f"unknown trick {name!r}", where=where, fix=nearest(name, REGISTERED))
    return REGISTERED[name]


def probes(calls: Sequence[TrickCall]) -> list[tuple[TrickCall, When, Callable[[Evidence], Proof]]]:
    """The liveness probes of some calls, each with the call's arguments bound: ``function(evidence) -> Proof``."""
    found: list[tuple[TrickCall, When, Callable[[Evidence], Proof]]] = []
    for call in calls:
        trick = get(call.name, where=str(call.origin))
        bound = bind(trick, call)
        found += [(call, probe.when, probe.bind(bound.arguments)) for probe in trick.probes]
    return found


@functools.cache
def _import_all() -> None:
    for file in sorted(Path(__file__).parent.glob("[!_]*.py")):
        importlib.import_module(f"tricklab.tricks.{file.stem}")
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except UserError:
            raise
        except Exception as cause:
            raise UserError(
                f"the plugin {point.name!r} cannot be imported: {type(cause).__name__}: {cause}",
                where=f"entry point {point.value}",
                fix="mend or uninstall it",
            ) from cause
