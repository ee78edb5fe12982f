"""A teacher from a file of weights, or from weights that are published."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from torch import nn

from tricklab import registry
from tricklab.data.image_normalisation import FIXED, Normalisation, given_normalisation
from tricklab.errors import UserError
from tricklab.models.initial_weights import remembered
from tricklab.models.network_input import network_input
from tricklab.registry import Kind, component
from tricklab.seeds import Seeds
from tricklab.tasks.teacher import Student, Teacher


@component("teacher", name="Network", given=("student",))
def trained_network(
    model: Annotated[dict[str, Any], Kind("model")],
    normalise: Literal["model", "imagenet", "half", "none"] | dict[str, list[float]] = "model",
    size: int | tuple[int, int] | None = None,
    *,
    student: Student,
) -> Teacher:
    """A network with weights from a file or from where they are published, classifier included.

    Its scores must be those of the student's classes in the student's order: weights have no class names. Which images
    it was trained on is not known either, so nothing can be said about those that the student is scored on.

    Args:
        model: the network, with ``weights: FILE`` or ``pretrained: true``.
        normalise: what it expects: ``model`` as its published weights do, ``imagenet``, ``half``, ``none``
            (bytes / 255), or {mean: [3 numbers], std: [3 numbers]}.
        size: pixels of a square's side, or [height, width], that it expects; null: the student's.
        student: whom it teaches.

    Raises:
        UserError: no weights, a classifier of another number of classes, or no known normalisation.
    """
    wanted = student.size if size is None else (size, size) if isinstance(size, int) else (size[0], size[1])
    square = {"bands": 3, "window": wanted[0]} if wanted[0] == wanted[1] else {}
    with Seeds(0, 0).initialising():
        made = registry.build("model", model, classes=len(student.classes), channels=3, size=wanted, **square)
    name = str(model.get("name") or model["type"])
    if not isinstance(made, nn.Module):
        raise UserError(f"{model['type']} gives no scores to learn from", where="teacher.model")
    source = remembered(made)
    if source is None:
        raise UserError(
            "a teacher must be trained, and this network has no weights",
            where="teacher.model",
            fix="give weights: FILE or pretrained: true, or {type: FinishedRun, folder: …}",
        )
    if source.kept:
        raise UserError(
            f"{source.source} gives no weights for {source.kept[0]}: its classifier is not one of "
            f"{len(student.classes)} classes, and an untrained one teaches nothing",
            where="teacher.model",
            fix="train it on these classes first, then name its folder",
        )
    return Teacher(made, name, student, _normalisation(model, normalise), wanted)


def _normalisation(model: dict[str, Any], wanted: str | dict[str, list[float]]) -> Normalisation:
    if isinstance(wanted, dict):
        if set(wanted) != {"mean", "std"}:
            raise UserError(f"expected mean and std, not {', '.join(wanted) or 'nothing'}", where="teacher.normalise")
        return given_normalisation(wanted["mean"], wanted["std"], "teacher.normalise")
    if wanted != "model":
        return Normalisation(wanted, *FIXED[wanted])
    about = network_input(model, "teacher.normalise")
    return Normalisation("model", about.mean, about.std)
