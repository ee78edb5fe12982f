"""A drawn split of images as files: a manifest, or folders of links or copies. Nothing is overwritten or deleted."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tricklab.data.image_list import ImageList
from tricklab.data.layouts.folder_scan import is_hidden
from tricklab.errors import UserError
from tricklab.records.atomic import write_atomic


def write_manifest(images: ImageList, sides: np.ndarray, path: Path) -> None:
    """Write a CSV file with the columns path, label, split, one line an image; an empty split means left out.

    A recipe takes it back as ``split: {type: Manifest, file: …}``.

    Raises:
        UserError: the file exists already.
    """
    write_sides(
        [images.key(number) for number in range(len(images))],
        sides,
        path,
        [images.classes[label] for label in images.labels],
    )


def write_sides(keys: Sequence[str], sides: np.ndarray, path: Path, labels: Sequence[str] | None = None) -> None:
    """Write a CSV file with the columns path and split, and between them label where there are labels.

    Raises:
        UserError: the file exists already.
    """
    check_manifest(path)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", *(() if labels is None else ("label",)), "split"))
    middle = [()] * len(keys) if labels is None else [(label,) for label in labels]
    writer.writerows((key, *label, side) for key, label, side in zip(keys, middle, sides.tolist(), strict=True))
    write_atomic(path, text.getvalue())


def check_manifest(path: Path) -> None:
    """Refuse a manifest that could not be written, before anything is drawn.

    Raises:
        UserError: the file exists already.
    """
    if path.exists():
        raise UserError("the file exists already", where=str(path), fix="nothing is overwritten; choose a new folder")


def materialise(images: ImageList, sides: np.ndarray, folder: Path, *, copy: bool = False) -> dict[str, int]:
    """Lay out a split as ``train/<class>/``, ``val/<class>/`` … in an empty folder.

    Hard links take no room and no time; where the file system cannot link, files are copied. A linked file is the very
    same file, so editing it edits the original. Images that are left out are not written; those that are no files are
    written as PNG.

    Args:
        folder: empty, or not there yet; not among the images.
        copy: copy in any case.

    Returns:
        How many were ``linked``, ``copied`` and ``written``.

    Raises:
        UserError: the folder holds something, it lies among the images, or a class cannot be a folder's name.
    """
    check_materialise(images, folder)
    targets = _targets(images, sides, folder)
    done: Counter[str] = Counter(linked=0, copied=0, written=0)
    for parent in sorted({target.parent for target in targets.values()}):
        parent.mkdir(parents=True)
    for number, target in targets.items():
        path = images.paths[number]
        if path is None:
            Image.fromarray(images.read(number)).save(target)
            done["written"] += 1
        elif not copy and _linked(path, target):
            done["linked"] += 1
        else:
            shutil.copy2(path, target)
            done["copied"] += 1
    return dict(done)


def check_materialise(images: ImageList, folder: Path) -> None:
    """Refuse a folder that a split may not be laid out in, before anything is drawn.

    Raises:
        UserError: see :func:`materialise`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "the folder is not empty" if folder.is_dir() else "this is a file"
        raise UserError(what, where=str(folder), fix="give a new folder: nothing is overwritten or deleted")
    root = images.root
    if root is not None and folder.resolve().is_relative_to(root.resolve()):
        raise UserError("the folder lies among the images", where=str(folder), fix=f"give one outside {root}")
    for name in images.classes:
        if name in ("", ".", "..") or any(sign in name for sign in ("/", "\\", "\0")):
            raise UserError(f"the class {name!r} cannot be the name of a folder", where=images.name)
        if is_hidden(name):
            raise UserError(f"the folder of the class {name!r} would be hidden and not be read", where=images.name)


def _targets(images: ImageList, sides: np.ndarray, folder: Path) -> dict[int, Path]:
    """{number: file to be} of all images that are on a side; names that meet are told apart by their folders."""
    used = [(number, side) for number, side in enumerate(sides.tolist()) if side]
    places = {number: folder / side / images.classes[images.labels[number]] for number, side in used}
    names = {number: Path(images.key(number)).name for number in places}
    often = Counter((places[number], names[number].casefold()) for number in places)
    found: dict[int, Path] = {}
    taken: dict[Path, int] = {}
    for number, place in places.items():
        name = names[number]
        if often[place, name.casefold()] > 1:
            name = "__".join(part for part in Path(images.key(number)).parts if part not in ("..", os.sep))
        target = place / (name if images.paths[number] is not None else f"{name}.png")
        if target in taken:
            raise UserError(
                f"{images.key(number)} and {images.key(taken[target])} would both become {target}", where=images.name
            )
        taken[target] = number
        found[number] = target
    return found


def _linked(path: Path, target: Path) -> bool:
    """Whether a hard link could be made."""
    try:
        os.link(path.resolve(), target)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True
