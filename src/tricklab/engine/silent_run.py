"""A run folder as the other processes of a training see it: read by all, written by the first alone."""

from __future__ import annotations

import time
from typing import Any

from tricklab.records import RunFolder
from tricklab.records.json_text import plain


class SilentRun(RunFolder):
    """Reads like any run folder; what would be written goes nowhere and comes back as it would read."""

    def add_provenance(self, found: dict[str, Any]) -> None:
        """Nothing."""

    def set_status(self, state: str, **more: Any) -> None:
        """Nothing."""

    def append_metrics(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row as it would read back."""
        found: dict[str, Any] = plain(row)
        return found

    def drop_metrics_after(self, step: int) -> int:
        """Nothing."""
        return 0

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The event as it would read back."""
        found: dict[str, Any] = plain({"kind": kind, "time": round(time.time(), 3), **fields})
        return found

    def write_result(self, result: dict[str, Any]) -> None:
        """Nothing."""

    def save_scores(self, **arrays: Any) -> None:
        """Nothing."""
