"""Finding a scene's files: the exact path, then the only match below the data folder."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from tricklab.errors import UserError

_MOST_FILES = 20_000


def find_file(name: str, root: str | None, *, key: str) -> Path:
    """The file that a recipe names.

    Args:
        name: absolute, or relative to ``root`` (the working folder without a root). If ``root/name`` does not exist,
            the only file below ``root`` whose path ends in ``name`` is taken.
        root: the folder given by ``data.root`` or ``--data``, or None.
        key: the recipe key that names the file, for errors.

    Raises:
        UserError: no such file (lists what is there), or several match (lists them).
    """
    if not name:
        raise UserError("an empty file name", where=key)
    base = Path(root).expanduser() if root is not None else Path.cwd()
    if root is not None and not base.is_dir():
        raise UserError(f"no such folder: {base}", where="data.root", fix="give the files' folder: --data DIR")
    exact = base / Path(name).expanduser()
    if exact.is_file():
        return exact
    if exact.is_dir():
        raise UserError(f"{exact} is a folder, not a file", where=key)
    if root is None or Path(name).is_absolute():
        fix = None if root is not None else "give the folder of the scene's files: --data DIR (or data.root=DIR)"
        if not exact.parent.is_dir():
            raise UserError(f"no file {exact}: the folder does not exist", where=key, fix=fix)
        present = sorted(Path(path.name) for path in exact.parent.iterdir() if path.is_file())
        raise UserError(f"no file {exact}{_nearby(name, present)}", where=key, fix=fix)
    wanted = Path(name).parts
    present = list(_below(base))
    matches = [path for path in present if path.relative_to(base).parts[-len(wanted) :] == wanted]
    if len(matches) == 1:
        return matches[0]
    if matches:
        shown = ", ".join(str(path.relative_to(base)) for path in matches[:8])
        raise UserError(
            f"{len(matches)} files below {base} are named {name}: {shown}",
            where=key,
            fix="name one of them with its folder",
        )
    raise UserError(
        f"no file {name} in or below {base}{_nearby(name, [path.relative_to(base) for path in present])}", where=key
    )


def _below(base: Path) -> Iterator[Path]:
    """Files below a folder, sorted by folder; hidden folders are skipped and very large trees are cut off."""
    seen = 0
    for folder, folders, files in os.walk(base):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            yield Path(folder) / name
            seen += 1
            if seen >= _MOST_FILES:
                return


def _nearby(name: str, present: list[Path]) -> str:
    if not present:
        return "; there are no files"
    close = difflib.get_close_matches(Path(name).name, [path.name for path in present], n=1, cutoff=0.6)
    alike = [path for path in present if path.suffix.lower() == Path(name).suffix.lower()] or present
    shown = ", ".join(str(path) for path in alike[:12]) + (" …" if len(alike) > 12 else "")
    guess = f"; did you mean {close[0]!r}?" if close else ""
    return f"{guess}; there are: {shown}"
