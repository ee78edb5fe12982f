"""A finished run as something that can be asked: its task, its recipe, its model with the weights that were scored."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch

from tricklab.engine.classical import is_classical, refit_checked
from tricklab.engine.evaluation import evaluating
from tricklab.engine.finish import load_weights
from tricklab.engine.prepared import Prepared, prepare, same_data, sibling
from tricklab.engine.trainer import quiet
from tricklab.errors import UserError
from tricklab.ops.denormals import flushing_denormals
from tricklab.recipe import Recipe
from tricklab.records import RunFolder
from tricklab.tasks.base import Evaluation, Task


@dataclass(frozen=True)
class LoadedRun:
    """A finished run.

    Attributes:
        run: its folder.
        prepared: recipe, data and device.
        model: in evaluation mode with the weights that the recipe scores (the last or the averaged ones), or a fitted
            model without gradients.
    """

    run: RunFolder
    prepared: Prepared
    model: Any

    @property
    def task(self) -> Task:
        """The task with its data."""
        return self.prepared.task

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return self.prepared.recipe

    def evaluate(self, split: str) -> Evaluation:
        """Score the model on a split as the recipe says. Touching ``test`` is logged in the run's events.

        Raises:
            UserError: the split is empty.
        """
        if split == "test":
            self.run.event("test_touched", step=(self.run.result() or {}).get("steps"), by="test")
        return self.scored(split)

    def scored(self, split: str) -> Evaluation:
        """The same, without a note in the events: for one of several models that are scored in one look.

        Raises:
            UserError: the split is empty, or the network's answers are no numbers.
        """
        chosen = self.prepared.settings.evaluate
        if is_classical(self.prepared):
            return self.task.evaluate_classical(self.model, split)
        with flushing_denormals(), evaluating(self.model):
            found = self.task.evaluate(self.model, split, self.prepared.postprocess, chosen.method)
        if found.unanswered:
            raise UserError(f"{found.told_unanswered()} is nan, so nothing can be scored", where=str(self.run.path))
        return found


def load_run(
    folder: str | os.PathLike[str], *, device: str | None = None, threads: int | None = None, data: str | None = None
) -> LoadedRun:
    """Load a finished run.

    Args:
        folder: the run's folder.
        device: where the model goes; ``auto`` if not given, wherever the run was trained.
        threads: CPU threads; as the run's if not given.
        data: folder of the data files; the run's own if not given.

    Raises:
        UserError: the run is not finished, its files are damaged, or its data have changed.
    """
    run = RunFolder.open(folder)
    state = run.status()["state"]
    if state != "finished":
        fix = f"tricklab resume {os.fspath(folder)}" if state in ("interrupted", "running", "planned") else None
        raise UserError(f"this run is {state}, so there is nothing to load", where=os.fspath(folder), fix=fix)
    before = run.provenance()
    torch.set_num_threads(threads or before["execution"]["threads"])
    with quiet():
        prepared = prepare(run, device or "auto", data=data)
        recorded = before["environment"].get("data_digest")
        fix = "--data must name the folder with the same files"
        same_data(recorded, prepared.task.digest(), str(run.path), fix)
        if is_classical(prepared):
            return LoadedRun(run, prepared, refit_checked(prepared))
        source = sibling(run) or run
        average = prepared.settings.evaluate.weights == "average"
        name = f"average-{prepared.averaging_key}" if average else "weights"
        model, _ = load_weights(prepared, source.checkpoint(name))
    model.eval()
    return LoadedRun(run, prepared, model)
