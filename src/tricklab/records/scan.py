"""The ledger: read the state and result of every run below a folder, fast enough to need no database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tricklab.errors import UserError
from tricklab.records.json_text import loads


@dataclass(frozen=True)
class RunSummary:
    """One run as its folder tells it.

    Attributes:
        path: the run folder.
        experiment, arm, block: from the path ``<experiment>/<arm>/<block>``; block is -1 where the name is no number.
        status: ``status.json``.
        result: ``result.json``, or None while there is none.
    """

    path: Path
    experiment: str
    arm: str
    block: int
    status: dict[str, Any]
    result: dict[str, Any] | None

    @property
    def state(self) -> str:
        """planned, running, finished, failed, interrupted, not_live or refused."""
        return self.status["state"]

    @property
    def value(self) -> float | None:
        """The declared metric, or None while there is no result."""
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
    found = [_summary(folder, status) for folder, status in _runs(start)]
    return sorted(found, key=lambda run: (run.experiment, run.arm, run.block, str(run.path)))


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
    above, block = os.path.split(folder)
    above, arm = os.path.split(above)
    content = _content(f"{folder}/result.json")
    return RunSummary(
        path=Path(folder),
        experiment=os.path.basename(above),
        arm=arm,
        block=int(block) if block.isdecimal() else -1,
        status=_parsed(status, f"{folder}/status.json"),
        result=None if content is None else _parsed(content, f"{folder}/result.json"),
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
        parts = []
        while part := os.read(handle, 1 << 20):
            parts.append(part)
            if len(part) < 1 << 20:
                break
        return b"".join(parts)
    finally:
        os.close(handle)
