"""Image files below folders: natural order, hidden ones left out."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tricklab.data.image_reading import is_image_name
from tricklab.errors import UserError


def natural_key(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key under which numbers inside names count as numbers.

    >>> sorted(["b10", "b9", "a"], key=natural_key)
    ['a', 'b9', 'b10']
    """
    parts = re.split(r"([0-9]+)", text)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in parts if part], text


def is_hidden(name: str) -> bool:
    """Files and folders that systems leave behind: a leading dot, or the archive folder of macOS."""
    return name.startswith(".") or name == "__MACOSX"


@dataclass(frozen=True)
class FolderContents:
    """What lies in one folder: image files, other files, folders; each in natural order, nothing hidden."""

    images: list[Path]
    others: list[Path]
    folders: list[Path]


def list_folder(folder: Path) -> FolderContents:
    """List one folder, not what is below it; links are followed, those that lead nowhere count as files.

    Raises:
        UserError: the folder may not be read, or a name in it is no UTF-8 text.
    """
    images: list[Path] = []
    others: list[Path] = []
    folders: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name):
                    continue
                _refuse_unwritable(folder, entry.name)
                into = folders if _is_folder(entry) else images if is_image_name(entry.name) else others
                into.append(folder / entry.name)
    except PermissionError as cause:
        raise UserError(f"the folder cannot be read: {cause.strerror}", where=str(folder)) from None
    # without the suffix, so that a.png comes before a2.png
    images.sort(key=lambda path: (natural_key(path.stem), path.suffix))
    for found in (others, folders):
        found.sort(key=lambda path: natural_key(path.name))
    return FolderContents(images, others, folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself
        return False


def _refuse_unwritable(folder: Path, name: str) -> None:
    """Refuse a name that no manifest and no report could hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        raise UserError(
            f"the name {shown} is no UTF-8 text, so it cannot be written down",
            where=str(folder),
            fix="rename it (convmv does that for whole folders)",
        ) from None


def images_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Image files and other files of a folder and all folders below it; a folder that links to itself is met once."""
    images: list[Path] = []
    others: list[Path] = []
    waiting, met = [folder], set()
    while waiting:
        current = waiting.pop()
        if (real := current.resolve()) in met:
            continue
        met.add(real)
        found = list_folder(current)
        images += found.images
        others += found.others
        waiting += reversed(found.folders)
    return images, others


def root_folder(root: str | None, where: str) -> Path:
    """The folder of the data.

    Raises:
        UserError: none is given, or there is none.
    """
    if root is None:
        raise UserError(f"{where} needs the folder of the images", where="data.root", fix="give it: --data DIR")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(
            f"{folder} is a file, not a folder" if folder.exists() else f"no such folder: {folder}", where="data.root"
        )
    return folder
