"""A run folder brought to life: settings, seeds, data, device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from tricklab import registry, tricks
from tricklab.engine.averagings import averaging_key
from tricklab.engine.judge import Judge
from tricklab.engine.trainer import pick_device
from tricklab.errors import UserError
from tricklab.recipe import Recipe, load, resolve, settings
from tricklab.recipe.schema import Settings
from tricklab.records import RunFolder
from tricklab.records.sibling import sibling as sibling
from tricklab.seeds import Seeds
from tricklab.tasks.base import Task


@dataclass(frozen=True)
class Prepared:
    """Everything that fitting and evaluating a run need."""

    run: RunFolder
    recipe: Recipe
    settings: Settings
    seeds: Seeds
    task: Task
    judge: Judge
    device: torch.device

    @property
    def split(self) -> str:
        """The split whose pixels give the declared metric: ``val`` or ``test``."""
        return self.settings.metric.monitor.split("/")[0]

    @property
    def averaging_key(self) -> str | None:
        """Key of the recipe's own averaging, or None."""
        config = self.settings.evaluate.averaging
        return None if config is None else averaging_key(config)

    @property
    def postprocess(self) -> list[dict[str, Any]]:
        """The recipe's postprocessing."""
        return list(self.settings.evaluate.postprocess)


def prepare(
    run: RunFolder,
    device: str,
    say: Callable[[str, str], None] = lambda severity, text: None,
    data: str | None = None,
) -> Prepared:
    """Read the recipe, which imports the user's modules, and prepare the data.

    Args:
        device: as in ``train.device``.
        say: gets severity and text of what the doctor finds.
        data: folder of the data files, if not the recipe's own.

    Raises:
        UserError: the recipe, the data or the device cannot work.
    """
    recipe = resolve(load(run.recipe))
    if data is not None:
        recipe = resolve(recipe.set("data.root", data))
    chosen = settings(recipe)
    seeds = Seeds(chosen.seed, int(run.declared["block"]))
    task = registry.load("task", chosen.task)(settings=chosen, seeds=seeds)
    task.prepare()
    calls = [tricks.TrickCall(call["name"], call["arguments"]) for call in run.declared["tricks"]]
    judge = Judge(run, recipe.tree, calls, say)
    prepared = Prepared(run, recipe, chosen, seeds, task, judge, pick_device(device))
    _check(prepared)
    return prepared


def same_data(recorded: dict[str, str] | None, found: dict[str, str], where: str, fix: str) -> None:
    """Refuse data that are not those of a training.

    Args:
        recorded: {split: digest} from the training's provenance; None if it was never recorded.
        found: the same of the data at hand.

    Raises:
        UserError: they differ; names the splits.
    """
    other = [split for split in found if recorded and recorded.get(split) != found[split]]
    if other:
        raise UserError(
            f"the data are not those that the run was trained on: {', '.join(other)} differ", where=where, fix=fix
        )


def _check(prepared: Prepared) -> None:
    chosen = prepared.settings
    name = chosen.metric.monitor.split("/", 1)[1]
    known = prepared.task.metrics
    if name not in known:
        raise UserError(
            f"unknown metric {chosen.metric.monitor!r}", where="metric.monitor", fix=f"known: {', '.join(known)}"
        )
    soup = chosen.evaluate.averaging or {}
    if soup.get("type") == "Soup" and soup.get("mix") == "greedy":
        if prepared.split == "val":
            raise UserError(
                f"a greedy soup is chosen on the validation set, and {chosen.metric.monitor} is read from it",
                where="evaluate.averaging.mix",
                fix="use mix=uniform, or declare a metric of the test set",
            )
        if not prepared.task.sizes()["val"]:
            raise UserError(
                "a greedy soup is chosen on the validation set, which is empty",
                where="evaluate.averaging.mix",
                fix="give data.split.val a share, or use mix=uniform",
            )
    if not prepared.task.sizes()[prepared.split]:
        other = "test" if prepared.split == "val" else "val"
        raise UserError(
            f"{chosen.metric.monitor} is declared, but the {prepared.split} set is empty",
            where="metric.monitor",
            fix=f"give data.split.{prepared.split} a share, or say metric.monitor={other}/{name}",
        )
