"""What an experiment logger is to tricklab: something that takes the rows of ``metrics.jsonl``."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from tricklab.errors import UserError


class RowLogger(Protocol):
    """Gets the recipe once, every row as it is written, and the end."""

    def begin(self, recipe: dict[str, Any], name: str, folder: str) -> None:
        """Start a run.

        Args:
            recipe: the resolved tree.
            name: ``<experiment>/<arm>/<block>``.
            folder: the run's folder, where local loggers write.
        """

    def row(self, row: dict[str, Any]) -> None:
        """Take one row."""

    def end(self, state: str) -> None:
        """The run ended: finished, failed, interrupted."""


class LightningRows:
    """A row logger over one of Lightning's loggers; subclasses make it in ``make``."""

    package: str
    extra: str

    def __init__(self) -> None:
        self._logger: Any = None

    def make(self, name: str, folder: str) -> Any:
        """The Lightning logger for a run."""
        raise NotImplementedError

    def begin(self, recipe: dict[str, Any], name: str, folder: str) -> None:
        """Import the package, make the logger, hand over the recipe.

        Raises:
            UserError: the package is not installed; says what to install.
        """
        try:
            importlib.import_module(self.package)
        except ImportError:
            raise UserError(
                f"the logger {type(self).__name__} needs the package {self.package!r}, which is not installed",
                where="log.loggers",
                fix=f"pip install 'tricklab[{self.extra}]', or take the logger out",
            ) from None
        self._logger = self.make(name, folder)
        self._logger.log_hyperparams(recipe)

    def row(self, row: dict[str, Any]) -> None:
        """Numbers of the row under ``<phase>/<name>``, at its step."""
        phase = row["phase"]
        numbers = {
            key if key.startswith(f"{phase}/") else f"{phase}/{key}": float(value)
            for key, value in row.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and key != "step"
        }
        self._logger.log_metrics(numbers, step=row["step"])

    def end(self, state: str) -> None:
        """Flush and close."""
        if self._logger is not None:
            self._logger.finalize({"finished": "success"}.get(state, "failed"))
