"""Whole-file writes that a crash or a full disk cannot tear: temporary name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

LEFTOVERS = ".*.partial"


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path``; once the block has written it, sync it and rename it onto ``path``.

    If the block raises, the temporary file goes and the old file stays as it was. Missing folders are made.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # a process id alone comes again: in a restarted container, or on another host that shares the folder
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        # some writers make files that only their owner may read: keep the mode that the umask asks for
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        mode = stat.S_IMODE(temporary.stat().st_mode)
        yield temporary
        temporary.chmod(mode)
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def write_atomic(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a whole file (text as UTF-8) so that readers see the old content or the new, never a part.

    Raises:
        OSError: the disk is full, or the folder cannot be written; the old file is intact.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "status.json"
    >>> write_atomic(path, "{}")
    >>> path.read_text()
    '{}'
    """
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clear_leftovers(folder: Path) -> int:
    """Delete the temporary files that killed writers left in a folder; returns how many. Call it under the lock."""
    found = list(folder.glob(LEFTOVERS))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)
