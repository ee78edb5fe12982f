"""The ledger: read the state and result of every run below a folder, fast enough to need no database."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tricklab.errors import UserError
from tricklab.records.json_text import loads

# the metric stands first in result.json and holds no mapping: it can be read without parsing the confusion matrix
_METRIC = re.compile(rb'\{"metric": (\{[^{}]*\})')


@dataclass(frozen=True)
class RunSummary:
    """One run as its folder told it when it was scanned.

    Attributes:
        path: the run folder.
        experiment, arm, block: from the path ``<experiment>/<arm>/<block>``; block is -1 where the name is no number.
        status: ``status.json``.
        result_text: content of ``result.json``, or None while there is none; parsed on first use of ``result``.
    """

    path: Path
    experiment: str
    arm: str
    block: int
    status: dict[str, Any]
    result_text: bytes | None

    @functools.cached_property
    def result(self) -> dict[str, Any] | None:
        """``result.json``, or None while there is none.

        Raises:
            UserError: it is not JSON; names it.
        """
        return None if self.result_text is None else _parsed(self.result_text, f"{self.path}/result.json")

    @property
    def state(self) -> str:
        """planned, running, finished, failed, interrupted, not_live or refused."""
        return self.status["state"]

    @property
    def value(self) -> float | None:
        """The declared metric, or None while there is no result."""
        if self.result_text is None:
            return None
        found = _METRIC.match(self.result_text)
        if found:
            return _parsed(found[1], f"{self.path}/result.json")["value"]
        return None if self.result is None else self.result["metric"]["value"]


def scan(root: str | os.PathLike[str]) -> list[RunSummary]:
    """All runs at or below ``root`` (a run, an arm, an experiment, a folder of them), sorted, blocks by number.

    A folder that holds ``status.json`` is a run and is not searched further; hidden folders are passed over.

    Raises:
        UserError: ``root`` does not exist, or a file is damaged; names it.
    """
    start = os.path.abspath(os.fspath(root))
    if not os.path.isdir(start):
        raise UserError("no such folder", where=os.fspath(root))
    found = [_summary(folder, status) for folder, status in sorted(_runs(start))]
    return sorted(found, key=lambda run: (run.experiment, run.arm, run.block))


def _runs(folder: str) -> Iterator[tuple[str, bytes]]:
    status = _content(f"{folder}/status.json")
    if status is not None:
        yield folder, status
        return
    with os.scandir(folder) as inside:
        below = [entry.path for entry in inside if not entry.name.startswith(".") and entry.is_dir()]
    for path in below:
        yield from _runs(path)


def _summary(folder: str, status: bytes) -> RunSummary:
    experiment, arm, block = ["", "", *folder.rsplit("/", 3)[1:]][-3:]
    return RunSummary(
        path=Path(folder),
        experiment=experiment,
        arm=arm,
        block=int(block) if block.isdecimal() else -1,
        status=_parsed(status, f"{folder}/status.json"),
        result_text=_content(f"{folder}/result.json"),
    )


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    try:
        return loads(content)
    except ValueError as error:
        raise UserError(f"this is not JSON: {error}", where=where) from None


def _content(path: str) -> bytes | None:
    """The file's bytes, or None if there is none; a third of the cost of ``Path.read_bytes``."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        content = os.read(handle, 1 << 16)
        if len(content) < 1 << 16:
            return content
        parts = [content]
        while part := os.read(handle, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(handle)
