"""A split written down: one line an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tricklab.data.image_list import ImageList
from tricklab.data.image_split import check_sides
from tricklab.data.image_table import Table, read_table
from tricklab.data.lookup import find_file
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds

_SHOWN = 3


@component("image_split", given=("root",))
class Manifest:
    """A CSV file with the columns ``path`` and ``split``, as ``tricklab data split`` writes it.

    Paths are relative to the folder of the images. A column ``label`` is compared with the images' own classes. Every
    image must be listed, once; an empty split leaves it out. Lines of files that are there and that the recipe itself
    leaves out, such as unreadable ones, are skipped.

    Args:
        file: the CSV file: absolute, or below ``data.root``, or below the working folder.

    Raises:
        UserError: images that are not listed, listed twice, or not there; another label; a picture on two sides. Names
            the line.
    """

    def __init__(self, file: str, *, root: str | None = None) -> None:
        self.file, self.root = file, root

    def draw(self, images: ImageList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Read the sides; the same for every block."""
        path = self._find()
        table = read_table(path, ["path", "split"], optional=["label"])
        table.refuse_empty(["path"])
        table.refuse_repeats("path")
        row_of = {key: row for row, key in enumerate(table.columns["path"])}
        # values of tables have no spaces around them, names of files may
        keys = [images.key(number).strip() for number in range(len(images))]
        absent = [key for key in keys if key not in row_of]
        if absent:
            raise UserError(
                f"{len(absent):,} of {len(keys):,} images are not listed: {', '.join(absent[:_SHOWN])}"
                f"{', …' if len(absent) > _SHOWN else ''}",
                where=str(path),
                fix="list each image with its path below the folder of the images; an empty split leaves it out",
            )
        self._refuse_unknown(table, set(keys), images)
        rows = [row_of[key] for key in keys]
        if "label" in table.columns:
            for number, row in enumerate(rows):
                said, meant = table.columns["label"][row], images.classes[images.labels[number]].strip()
                if said != meant:
                    raise UserError(f"{keys[number]} is of class {meant}, not {said}", where=table.place(row))
        splits = table.splits("split")
        return check_sides(images, units, np.array([splits[row] for row in rows], dtype="<U5"))

    def _find(self) -> Path:
        """Below ``data.root`` if it is there, else from the working folder."""
        here = Path(self.file).expanduser()
        below = here if self.root is None else Path(self.root).expanduser() / here
        if not below.is_file() and here.is_file():
            return here
        return find_file(self.file, self.root, key="data.split.file")

    def _refuse_unknown(self, table: Table, known: set[str], images: ImageList) -> None:
        """Refuse lines whose file is not there; one that is there was left out by another key of the recipe."""
        unknown = [row for row, key in enumerate(table.columns["path"]) if key not in known]
        gone = [
            row for row in unknown if images.root is None or not (images.root / table.columns["path"][row]).is_file()
        ]
        if gone:
            shown = ", ".join(f"{table.columns['path'][row]} (line {table.lines[row]})" for row in gone[:_SHOWN])
            raise UserError(
                f"{len(gone):,} listed images are not there: {shown}{', …' if len(gone) > _SHOWN else ''}",
                where=str(table.path),
                fix="the manifest belongs to other images, or files were lost",
            )
