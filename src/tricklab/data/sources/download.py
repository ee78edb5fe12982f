"""Fetching one file: resumed after a stop, checked before it gets its name."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from tricklab.data.sources.catalogue import KnownFile, KnownScene
from tricklab.data.sources.file_check import FileCheck, check_file
from tricklab.errors import UserError

_CHUNK = 1 << 16
_PATIENCE_S = 30
Progress = Callable[[int, "int | None"], None]


def fetch(file: KnownFile, scene: KnownScene, folder: Path, progress: Progress = lambda done, total: None) -> FileCheck:
    """Fetch a file into a folder; a part left by a stopped attempt is continued.

    The file gets its name only after its contents were recognised, so a name that exists is a usable file.

    Args:
        file: one of the scene's files; must have a URL.
        folder: made if it is missing.
        progress: called with (bytes so far, bytes in all or None).

    Raises:
        UserError: no URL is known, the file exists already, the network or server fails, or what came is something
            else; each says where to get the file by hand.
    """
    by_hand = (
        f"get it by hand from {scene.page} and put it into {folder}, then: tricklab data get {scene.name} --check FILE"
    )
    if file.url is None:
        raise UserError(f"no address is known to fetch {file.name} from", where=scene.name, fix=by_hand)
    target = folder / file.name
    if target.exists():
        raise UserError("the file exists already; nothing is overwritten", where=str(target))
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        _receive(file.url, part, progress)
    except urllib.error.HTTPError as cause:
        raise UserError(f"the server answers {cause.code} {cause.reason}", where=file.url, fix=by_hand) from cause
    except (urllib.error.URLError, HTTPException, OSError) as cause:
        reason = getattr(cause, "reason", None) or cause
        raise UserError(
            f"cannot be fetched ({reason}); what came so far is kept and continued next time",
            where=file.url,
            fix=by_hand,
        ) from cause
    try:
        found = check_file(part, scene)
        if found.file != file:
            raise UserError(f"this is {found.file.name}", where=str(part))
    except UserError as cause:
        part.unlink()
        raise UserError(f"what came is not {file.name}: {cause.what}", where=file.url, fix=by_hand) from cause
    part.replace(target)
    return found


def _receive(url: str, part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "tricklab"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=_PATIENCE_S)
    except urllib.error.HTTPError as refused:
        if have and refused.code == 416:  # nothing is left to send, or the file changed: begin again
            part.unlink()
            _receive(url, part, progress)
            return
        raise
    with answer:
        continued = have > 0 and answer.status == 206
        done = have if continued else 0
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length is not None else None
        with part.open("ab" if continued else "wb") as file:
            progress(done, total)
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and done < total:
        raise urllib.error.URLError(f"the connection broke after {done:,} of {total:,} bytes")
