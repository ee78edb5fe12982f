"""CSV files that list images: columns, and where each row stands."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tricklab.data.image_split import SPLIT_NAMES
from tricklab.errors import UserError, nearest

_SHOWN = 3


@dataclass(frozen=True)
class Table:
    """Columns of a CSV file and the line in the file of each row."""

    path: Path
    columns: Mapping[str, list[str]]
    lines: list[int]

    def place(self, row: int) -> str:
        """``file:line`` of a row."""
        return f"{self.path}:{self.lines[row]}"

    def refuse_empty(self, names: Sequence[str]) -> None:
        """Refuse an empty cell in one of these columns; names the line."""
        for name in names:
            for row, value in enumerate(self.columns[name]):
                if not value:
                    raise UserError(f"the column {name!r} is empty", where=self.place(row))

    def refuse_repeats(self, image: str, label: str | None = None) -> None:
        """Refuse an image that is listed twice; names both lines, and the labels where they differ."""
        first: dict[str, int] = {}
        for row, value in enumerate(self.columns[image]):
            if value not in first:
                first[value] = row
                continue
            before = first[value]
            told = ""
            if label is not None and self.columns[label][row] != self.columns[label][before]:
                told = f", as {self.columns[label][before]} and as {self.columns[label][row]}"
            raise UserError(
                f"{value} is listed twice, in lines {self.lines[before]} and {self.lines[row]}{told}",
                where=self.place(row),
            )

    def refuse_missing(self, files: Sequence[Path]) -> None:
        """Refuse rows whose file is not there; one look into each folder, not one at each file."""
        present: dict[Path, set[str]] = {}
        missing = []
        for row, file in enumerate(files):
            if file.parent not in present:
                here = file.parent
                present[here] = {path.name for path in here.iterdir()} if here.is_dir() else set()
            if file.name not in present[file.parent]:
                missing.append(row)
        if missing:
            shown = ", ".join(f"{files[row]} (line {self.lines[row]})" for row in missing[:_SHOWN])
            raise UserError(
                f"{len(missing):,} of {len(files):,} images are not there: {shown}"
                f"{', …' if len(missing) > _SHOWN else ''}",
                where=str(self.path),
                fix="folder: says where they are, suffix: what the names lack",
            )

    def splits(self, name: str) -> tuple[str, ...]:
        """A column of split names in tricklab's spelling: train, val, test, or "" for left out."""
        found = []
        for row, value in enumerate(self.columns[name]):
            if value and value.lower() not in SPLIT_NAMES:
                raise UserError(
                    f"unknown split {value!r}",
                    where=f"{self.place(row)}, column {name}",
                    fix="train, val, test, or nothing for an image to be left out",
                )
            found.append(SPLIT_NAMES.get(value.lower(), ""))
        return tuple(found)


def read_table(path: Path, wanted: Sequence[str], delimiter: str = ",", optional: Sequence[str] = ()) -> Table:
    """Read columns of a CSV file with a header line, UTF-8 with or without a byte-order mark.

    Args:
        wanted: columns that must be there.
        optional: columns that are read if they are there.

    Raises:
        UserError: no such column (with the nearest), a line of another length, no rows, bytes that are no UTF-8.
    """
    columns: dict[str, list[str]] = defaultdict(list)
    lines: list[int] = []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = [name.strip() for name in next(reader, [])]
            present = [*wanted, *(name for name in optional if name in header)]
            for name in present:
                if name not in header:
                    raise UserError(
                        f"no column {name!r}", where=f"{path}:1", fix=_which_columns(name, header, delimiter)
                    )
                if header.count(name) > 1:
                    raise UserError(f"two columns are named {name!r}", where=f"{path}:1")
            places = [(name, header.index(name)) for name in present]
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise UserError(
                        f"{len(cells)} values, the header names {len(header)}", where=f"{path}:{reader.line_num}"
                    )
                lines.append(reader.line_num)
                for name, place in places:
                    columns[name].append(cells[place].strip())
    except UnicodeDecodeError as cause:
        raise UserError(f"the file is no UTF-8 text: {cause.reason} at byte {cause.start}", where=str(path)) from None
    except csv.Error as cause:
        raise UserError(f"the table is torn: {cause}", where=f"{path}:{reader.line_num}") from None
    if not lines:
        raise UserError("the table has no rows", where=str(path))
    return Table(path, columns, lines)


def _which_columns(name: str, header: Sequence[str], delimiter: str) -> str:
    """The nearest column; where the whole header is one, the sign that it seems to be divided by."""
    other = next((sign for sign in ";\t|," if len(header) == 1 and sign != delimiter and sign in header[0]), None)
    if other is None:
        return nearest(name, header)
    return f"its columns stand apart by {other!r}, not by {delimiter!r}"
