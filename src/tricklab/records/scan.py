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

# both stand first in their files as tricklab writes them; parsing everything would take four times as long
_STATE = re.compile(rb'\{"state": "([a-z_]+)"')
_VALUE = re.compile(rb'\{"metric": \{"name": "[^"\\{}]*", "value": (-?[0-9.]+(?:[eE][-+]?[0-9]+)?)[,}]')


@dataclass(frozen=True)
class RunSummary:
    """One run as its folder told it when it was scanned. Files are parsed on first use.

    Attributes:
        folder: the run folder.
        experiment, arm, block: from the path ``<experiment>/<arm>/<block>``; block is -1 where the name is no number.
        status_text: content of ``status.json``.
        result_text: content of ``result.json``, or None while there is none.

    Every property that reads a file raises UserError where it is not JSON, and names it.
    """

    folder: str
    experiment: str
    arm: str
    block: int
    status_text: bytes
    result_text: bytes | None

    @functools.cached_property
    def path(self) -> Path:
        """The run folder."""
        return Path(self.folder)

    @functools.cached_property
    def status(self) -> dict[str, Any]:
        """``status.json``."""
        return _parsed(self.status_text, f"{self.folder}/status.json")

    @functools.cached_property
    def result(self) -> dict[str, Any] | None:
        """``result.json``, or None while there is none."""
        return None if self.result_text is None else _parsed(self.result_text, f"{self.folder}/result.json")

    @property
    def state(self) -> str:
        """planned, running, finished, failed, interrupted, not_live or refused."""
        found = _STATE.match(self.status_text)
        return found[1].decode() if found else self.status["state"]

    @property
    def value(self) -> float | None:
        """The declared metric, or None while there is no result."""
        found = _VALUE.match(self.result_text or b"")
        if found:
            return float(found[1])
        return None if self.result is None else self.result["metric"]["value"]


def scan(root: str | os.PathLike[str]) -> list[RunSummary]:
    """All runs at or below ``root`` (a run, an arm, an experiment, a folder of them), sorted, blocks by number.

    A folder that holds ``status.json`` is a run and is not searched further; hidden folders are passed over. A link to
    a folder is followed where it leads out of ``root``, and once: what lies below ``root`` is found without it.

    Raises:
        UserError: ``root`` does not exist.
    """
    start = os.path.abspath(os.fspath(root))
    if not os.path.isdir(start):
        raise UserError("no such folder", where=os.fspath(root))
    found = [_summary(folder, status) for folder, status in sorted(_runs(start, os.path.realpath(start), set()))]
    return sorted(found, key=lambda run: (run.experiment, run.arm, run.block))


def _runs(folder: str, root: str, followed: set[str]) -> Iterator[tuple[str, bytes]]:
    status = _content(f"{folder}/status.json")
    if status is not None:
        yield folder, status
        return
    with os.scandir(folder) as inside:
        below = [entry for entry in inside if not entry.name.startswith(".") and entry.is_dir()]
    for entry in below:
        if not entry.is_symlink() or _leads_out(entry.path, root, followed):
            yield from _runs(entry.path, root, followed)


def _leads_out(link: str, root: str, followed: set[str]) -> bool:
    """Whether a link leads to runs that are found no other way; notes that it was followed."""
    target = os.path.realpath(link)
    above = os.path.commonpath([target, root]) == target
    if above or any(os.path.commonpath([target, seen]) == seen for seen in (root, *followed)):
        return False
    followed.add(target)
    return True


def _summary(folder: str, status: bytes) -> RunSummary:
    experiment, arm, block = ["", "", *folder.rsplit("/", 3)[1:]][-3:]
    number = int(block) if block.isdecimal() else -1
    return RunSummary(folder, experiment, arm, number, status, _content(f"{folder}/result.json"))


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
