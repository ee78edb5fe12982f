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
    state = run.status()["state"]
    if state != "finished":
        fix = f"tricklab resume {place}" if state in ("interrupted", "running", "planned") else None
        raise UserError(f"this run is {state}, so it has no trained network", where=place, fix=fix)
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
    averaging = chosen.evaluate.averaging if chosen.evaluate.weights == "average" else None
    file = source.checkpoint("weights" if averaging is None else f"average-{averaging_key(averaging)}")
    weights = load_tree(file)
    model = shaped_for(model, weights)
    strict_load(model, weights, str(file))
    return RunNetwork(chosen, model.float(), classes, size, normalisation, fitted)
