"""Append-only files of one JSON object a line, which survive a writer that is killed in the middle of a line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tricklab.errors import UserError
from tricklab.records.atomic import write_atomic
from tricklab.records.json_text import dumps, loads, plain


def append_line(path: Path, row: dict[str, Any], *, sync: bool = False) -> dict[str, Any]:
    """Append one row and flush it to the operating system; a torn last line left by a killed writer goes first.

    Args:
        sync: also wait until the disk has it (for rows that must survive a power cut).

    Returns:
        The row as it will read back.

    Raises:
        OSError: the disk is full; what was written of the line is taken back.
    """
    row = plain(row)
    line = (dumps(row) + "\n").encode("utf-8")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        end = _whole_length(handle)
        try:
            written = 0
            while written < len(line):
                written += os.write(handle, line[written:])
            if sync:
                os.fsync(handle)
        except OSError:
            os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)
    return row


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole rows in order; an unfinished last line is left out, a missing file has none.

    Raises:
        UserError: a line before the last is not a JSON object; names file and line.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            row = loads(line)
        except ValueError as error:
            raise UserError(f"this line is not JSON: {error}", where=f"{path}:{number}") from None
        if not isinstance(row, dict):
            raise UserError("this line is not a JSON object", where=f"{path}:{number}")
        rows.append(row)
    return rows


def rewrite_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace the whole file by these rows, atomically."""
    write_atomic(path, "".join(dumps(row) + "\n" for row in rows))


def _whole_length(handle: int) -> int:
    """Length of the file after a torn last line has been cut off."""
    size = os.fstat(handle).st_size
    if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
        return size
    end = size
    while end > 0:
        start = max(0, end - 65536)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    os.ftruncate(handle, end)
    return end
