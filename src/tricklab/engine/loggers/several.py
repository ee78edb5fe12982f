"""The loggers of one run: none of them can stop it or change what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tricklab.engine.loggers.base import RowLogger
from tricklab.errors import UserError

Report = Callable[[str, str], None]


class SeveralLoggers:
    """Hands rows to every logger. One that raises, say because its server is gone, is reported and gets no more.

    Args:
        loggers: what gets the rows.
        report: gets the name of a logger that failed, and what it said.
    """

    def __init__(self, loggers: Sequence[RowLogger], report: Report) -> None:
        self.loggers, self.report = list(loggers), report
        self._begun: list[RowLogger] = []

    def begin(self, recipe: dict[str, Any], name: str, folder: str) -> None:
        """Start a run in every logger; arguments as in :class:`RowLogger`.

        Raises:
            UserError: one of them cannot begin. Nothing has been trained then, so the user may still choose.
        """
        for logger in self.loggers:
            try:
                logger.begin(recipe, name, folder)
            except Exception as error:
                self.end("failed")
                if isinstance(error, UserError):
                    raise
                raise UserError(
                    f"the logger {type(logger).__name__} cannot begin: {type(error).__name__}: {error}",
                    where="log.loggers",
                    fix="mend what it says, or take the logger out",
                ) from error
            self._begun.append(logger)

    def row(self, row: dict[str, Any]) -> None:
        """Take one row."""
        for logger in list(self._begun):
            self._call(logger, logger.row, row)

    def end(self, state: str) -> None:
        """The run ended: finished, failed."""
        for logger in list(self._begun):
            self._call(logger, logger.end, state)
        self._begun = []

    def _call(self, logger: RowLogger, method: Callable[[Any], None], argument: Any) -> None:
        try:
            method(argument)
        except Exception as error:
            self._begun.remove(logger)
            self.report(type(logger).__name__, f"{type(error).__name__}: {error}")
