"""A teacher from a finished run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tricklab.errors import UserError
from tricklab.records import RunFolder
from tricklab.registry import component
from tricklab.tasks.run_network import network_of
from tricklab.tasks.teacher import Student, Teacher


def _absolute(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "folder": str(Path(values["folder"]).expanduser().absolute())}


@component("teacher", name="FinishedRun", given=("student",), complete=_absolute)
def finished_run(folder: str, *, student: Student) -> Teacher:
    """The network of a finished run, with the weights that the run was scored with: last, averaged, or an ensemble's.

    It sees images normalised as its own were and at its own size; its classes are matched by name.

    Args:
        folder: of the run, or of an arm: then the run of the student's block is taken, which has the same split where
            data and seed are the same. Its data are not read.
        student: whom it teaches.

    Raises:
        UserError: no finished run of image classification with a trained network, or its files are damaged.
    """
    run = _opened(Path(folder), student.block)
    found = network_of(run)
    seen = found.fitted.get("seen_images")
    return Teacher(found.model, str(run.path), student, found.normalisation, found.size, found.classes, seen)


def _opened(folder: Path, block: int) -> RunFolder:
    if not (folder / "status.json").is_file():
        blocks = sorted(int(found.parent.name) for found in folder.glob("*/status.json") if found.parent.name.isdigit())
        if blocks and block not in blocks:
            raise UserError(
                f"this arm has runs of block {', '.join(map(str, blocks))}, the student is of block {block}",
                where=str(folder),
                fix="train the teacher on as many blocks, or name one run's folder",
            )
        folder = folder / str(block) if blocks else folder
    return RunFolder.open(folder)
