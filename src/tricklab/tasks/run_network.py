"""The network of a finished run on images, without the run's data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from tricklab.data.image_normalisation import Normalisation
from tricklab.errors import UserError
from tricklab.inference.ensemble import shaped_for
from tricklab.models.initial_weights import skipping_initial_weights
from tricklab.models.strict_load import strict_load
from tricklab.optim.averaging_key import averaging_key
from tricklab.recipe import load, resolve, settings
from tricklab.recipe.schema import Settings
from tricklab.records import RunFolder, load_tree
from tricklab.records.sibling import sibling
from tricklab.seeds import Seeds
from tricklab.tasks.networks import build_image_network


@dataclass(frozen=True)
class RunNetwork:
    """A trained network and what it was trained on.

    Attributes:
        settings: the resolved recipe.
        model: float32, on the CPU, with the weights that the recipe scores: the last, the averaged, or an ensemble's.
        classes: class names, in the order of its scores.
        size: (height, width) of its images.
        normalisation: from bytes to its values.
        fitted: everything that the run learned from data beside the weights.
    """

    settings: Settings
    model: nn.Module
    classes: tuple[str, ...]
    size: tuple[int, int]
    normalisation: Normalisation
    fitted: dict[str, Any]


def network_of(run: RunFolder) -> RunNetwork:
    """The network of a run folder.

    Raises:
        UserError: the run is not finished or of another task, its model has no weights, or its files are damaged.
    """
    place = str(run.path)
    finished(run)
    chosen = settings(resolve(load(run.recipe)))
    if chosen.task != "classification":
        raise UserError(f"a run on images is needed, this one is of {chosen.task}", where=place)
    source = sibling(run) or run
    fitted = load_tree(source.checkpoint("fitted"))
    size = (int(fitted["size"][0]), int(fitted["size"][1]))
    normalisation = Normalisation(str(fitted["normalise"]), tuple(fitted["mean"]), tuple(fitted["std"]))
    classes = tuple(str(name) for name in fitted["class_names"])
    with skipping_initial_weights():
        seeds = Seeds(chosen.seed, int(run.declared["block"]))
        model = build_image_network(chosen, seeds, len(classes), size, normalisation.name)
    if not isinstance(model, nn.Module):
        raise UserError(f"{chosen.model['type']} keeps no weights", where=place, fix="this is for networks")
    return RunNetwork(chosen, with_scored_weights(model, source, chosen), classes, size, normalisation, fitted)


def finished(run: RunFolder) -> None:
    """Refuse a run that is not finished.

    Raises:
        UserError: says its state, and how it goes on where it can.
    """
    state = run.status()["state"]
    if state != "finished":
        place = str(run.path)
        fix = f"tricklab resume {place}" if state in ("interrupted", "running", "planned") else None
        raise UserError(f"this run is {state}, so it has no trained network", where=place, fix=fix)


def with_scored_weights(model: nn.Module, source: RunFolder, chosen: Settings) -> nn.Module:
    """The model in float32 with the weights that a recipe scores, or an ensemble of it.

    Args:
        model: as the recipe builds it.
        source: the run whose checkpoints hold them.
        chosen: the resolved recipe.

    Raises:
        UserError: the file is damaged, or holds other weights than the model has.
    """
    averaging = chosen.evaluate.averaging if chosen.evaluate.weights == "average" else None
    file = source.checkpoint("weights" if averaging is None else f"average-{averaging_key(averaging)}")
    weights = load_tree(file)
    shaped = shaped_for(model, weights)
    strict_load(shaped, weights, str(file))
    return shaped.float()
