"""A teacher from a finished run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from tricklab.data.image_normalisation import Normalisation
from tricklab.errors import UserError
from tricklab.models.initial_weights import skipping_initial_weights
from tricklab.optim.averaging_key import averaging_key
from tricklab.recipe import load, resolve, settings
from tricklab.records import RunFolder, load_tree
from tricklab.records.sibling import sibling
from tricklab.registry import component
from tricklab.seeds import Seeds
from tricklab.tasks.networks import build_image_network
from tricklab.tasks.teacher import Student, Teacher


def _absolute(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "folder": str(Path(values["folder"]).expanduser().absolute())}


@component("teacher", name="FinishedRun", given=("student",), complete=_absolute)
def finished_run(folder: str, *, student: Student) -> Teacher:
    """The network of a finished run, with the weights that the run was scored with (its last or its averaged ones).

    It sees images normalised as its own were and at its own size; its classes are matched by name.

    Args:
        folder: of the run, or of an arm: then the run of the student's block is taken, which has the same split where
            data and seed are the same. Its data are not read.
        student: whom it teaches.

    Raises:
        UserError: no finished run of image classification with a trained network, or its files are damaged.
    """
    run = _opened(Path(folder), student.block)
    source = sibling(run) or run
    chosen = settings(resolve(load(run.recipe)))
    name = str(run.path)
    if chosen.task != "classification":
        raise UserError(f"a teacher of images is needed, this run is of {chosen.task}", where=name)
    fitted = load_tree(source.checkpoint("fitted"))
    size = (int(fitted["size"][0]), int(fitted["size"][1]))
    normalisation = Normalisation(str(fitted["normalise"]), tuple(fitted["mean"]), tuple(fitted["std"]))
    classes = tuple(fitted["class_names"])
    with skipping_initial_weights():
        seeds = Seeds(chosen.seed, int(run.declared["block"]))
        model = build_image_network(chosen, seeds, len(classes), size, normalisation.name)
    if not isinstance(model, nn.Module):
        raise UserError(f"{chosen.model['type']} gives no scores to learn from", where=name, fix="a run of a network")
    file = "weights"
    if chosen.evaluate.weights == "average":
        assert chosen.evaluate.averaging is not None
        file = f"average-{averaging_key(chosen.evaluate.averaging)}"
    _load(model, source, file)
    return Teacher(model, name, student, normalisation, size, classes, fitted.get("seen_images"))


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
    run = RunFolder.open(folder)
    state = run.status()["state"]
    if state != "finished":
        raise UserError(f"a teacher must be trained, this run is {state}", where=str(run.path), fix="finish it first")
    return run


def _load(model: nn.Module, source: RunFolder, file: str) -> None:
    place = source.checkpoint(file)
    try:
        model.load_state_dict(load_tree(place), strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(f"the weights do not fit the recipe beside them: {first}", where=str(place)) from None
