"""Images and labels listed in a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tricklab.data.image_list import ImageList
from tricklab.data.image_table import read_table
from tricklab.data.layouts.folder_scan import natural_key
from tricklab.data.lookup import find_file
from tricklab.errors import UserError
from tricklab.registry import component


@component("layout", source="Kaggle's train.csv", given=("root",))
class CsvImages:
    """A CSV file with a header line and one line an image.

    Classes are the different labels, in natural order. Blank lines are skipped; spaces around values are removed.

    Args:
        file: the CSV file, below ``data.root``.
        image: the column with the image's file.
        label: the column with its class.
        split: the column with train, val, test, or nothing for an image to be left out; null if there is none.
        group: the column that says what each image belongs to (a plant, a patient); null if there is none.
        folder: where the files are, below ``data.root``; null means beside the CSV file.
        suffix: what the column leaves out of the file names, such as ".jpg".
        delimiter: what stands between columns.

    Raises:
        UserError: a missing column, an empty cell, a file that is not there, an image listed twice; names the lines.
    """

    def __init__(
        self,
        file: str,
        image: str = "image",
        label: str = "label",
        split: str | None = None,
        group: str | None = None,
        folder: str | None = None,
        suffix: str = "",
        delimiter: str = ",",
        *,
        root: str | None = None,
    ) -> None:
        if len(delimiter) != 1:
            raise UserError(f"a delimiter is one character, not {delimiter!r}", where="data.images.delimiter")
        self.file, self.image, self.label, self.split, self.group = file, image, label, split, group
        self.folder, self.suffix, self.delimiter, self.root = folder, suffix, delimiter, root

    def read(self) -> ImageList:
        """Read the table and look for each file."""
        path = find_file(self.file, self.root, key="data.images.file")
        folder = path.parent
        if self.folder is not None:
            folder = (path.parent if self.root is None else Path(self.root).expanduser()) / self.folder
        wanted = [name for name in (self.image, self.label, self.split, self.group) if name is not None]
        table = read_table(path, wanted, self.delimiter)
        filled = [name for name in (self.image, self.label, self.group) if name is not None]
        table.refuse_empty(filled)
        table.refuse_repeats(self.image, self.label)
        files = [folder / (name + self.suffix) for name in table.columns[self.image]]
        table.refuse_missing(files)
        names = table.columns[self.label]
        classes = tuple(sorted(set(names), key=natural_key))
        if len(classes) < 2:
            raise UserError(f"only one class, {classes[0]}: nothing to classify", where=str(path))
        number = {name: place for place, name in enumerate(classes)}
        return ImageList(
            paths=tuple(files),
            labels=np.array([number[name] for name in names], dtype=np.int64),
            classes=classes,
            name=str(path),
            given=None if self.split is None else table.splits(self.split),
            groups=None if self.group is None else tuple(table.columns[self.group]),
            root=folder,
        )
