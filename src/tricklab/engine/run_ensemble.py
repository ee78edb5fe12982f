"""Finished runs asked together: networks of any kind, trained for the same classes and never on what is scored."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from tricklab.engine.load import LoadedRun, load_run
from tricklab.errors import UserError
from tricklab.inference.ensemble import ModelEnsemble
from tricklab.recipe.schema import Settings
from tricklab.records import RunFolder, load_tree
from tricklab.records.sibling import sibling
from tricklab.tasks.base import Evaluation
from tricklab.tasks.mask_run import mask_run
from tricklab.tasks.run_network import finished, network_of

Average = Literal["probabilities", "logits"]
# what a network was given to see, by the names under which a run keeps it
_SEEN = {
    "classification": ("size", "resize", "interpolation", "normalise", "mean", "std"),
    "segmentation": ("channels", "dtype", "resize", "normalise", "mean", "std", "scale"),
}


@dataclass(frozen=True)
class RunEnsemble:
    """Networks of several finished runs, and all of them as one.

    Attributes:
        runs: their folders.
        models: their networks, in evaluation mode, each with the weights that its recipe scores.
        whole: the first run, with all networks as its model.
        shares: of each network in the mean, summing to 1.
        average: what is averaged.
        asked_otherwise: runs whose own recipe asks in other windows or with other postprocessing than the first's.
    """

    runs: tuple[RunFolder, ...]
    models: tuple[nn.Module, ...]
    whole: LoadedRun
    shares: tuple[float, ...]
    average: Average
    asked_otherwise: tuple[RunFolder, ...]

    def evaluate(self, split: str) -> tuple[list[Evaluation], Evaluation]:
        """Score each network alone and all together, as the first run's recipe says.

        A look at ``test`` is noted in the events of every run.

        Returns:
            One evaluation for each run, and that of the ensemble.

        Raises:
            UserError: the split is empty, or the runs have not the same images in it.
        """
        self._require_same(split)
        if split == "test":
            for run in self.runs[1:]:
                run.event("test_touched", step=(run.result() or {}).get("steps"), by="test")
        together = self.whole.evaluate(split)
        each = [dataclasses.replace(self.whole, model=model).scored(split) for model in self.models]
        return each, together

    def _require_same(self, split: str) -> None:
        wanted = self.whole.task.digest()[split]
        for run in self.runs[1:]:
            found = (run.provenance()["environment"].get("data_digest") or {}).get(split)
            if found == wanted:
                continue
            known = self._known_images(run, split)
            told = f", and was trained on {known} of the {self.whole.task.sizes()[split]} that would be scored"
            raise UserError(
                f"this run has other {split} images than {self.runs[0].path}{told if known else ''}",
                where=str(run.path),
                fix="runs of the same data, split and block (one arm's blocks draw splits of their own)",
            )

    def _known_images(self, run: RunFolder, split: str) -> int:
        """How many of a split's images a run was trained on, as far as it kept their hashes."""
        seen = load_tree((sibling(run) or run).checkpoint("fitted")).get("seen_images")
        fold = vars(self.whole.task).get("fold")
        if seen is None or fold is None:
            return 0
        known = {row.tobytes() for row in seen.numpy()}
        return sum(bytes.fromhex(fold.store.digests[number]) in known for number in fold.members[split].tolist())


def load_ensemble(
    folders: Sequence[str | os.PathLike[str]],
    average: Average = "probabilities",
    weights: Sequence[float] | None = None,
    *,
    device: str | None = None,
    threads: int | None = None,
    data: str | None = None,
) -> RunEnsemble:
    """Load finished runs on images or masks, whatever their networks, to be asked together.

    The first run gives the data, the windows and the postprocessing; postprocessing stands around the mean. Networks
    that average checkpoints of their own, as snapshots do, are one member each.

    Args:
        folders: of two runs or more.
        average: ``probabilities``: mean of the softmax (of the sigmoid of one channel); ``logits``: mean of the
            logits, whose softmax is the normalised geometric mean.
        weights: of each run in the mean, above 0; all alike if not given.
        device, threads, data: as of ``load_run``.

    Raises:
        UserError: fewer than two runs, one of them twice, weights that do not fit; a run that is not finished, is of
            another task, has other classes, sees images otherwise (size, channels, normalisation), or has no network.
    """
    runs = [RunFolder.open(folder) for folder in folders]
    if len(runs) < 2:
        raise UserError("an ensemble needs two runs or more", where="ensemble")
    places = [run.path.resolve() for run in runs]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise UserError("this run is named twice", where=str(twice), fix="give it a weight instead")
    for run in runs:
        finished(run)
    if weights is not None and len(weights) != len(runs):
        raise UserError(f"{len(weights)} weights for {len(runs)} runs", where="ensemble", fix="one each")
    first = load_run(runs[0].path, device=device, threads=threads, data=data)
    task = first.prepared.settings.task
    if task not in _SEEN or not isinstance(first.model, nn.Module):
        what = f"of {task}" if task not in _SEEN else f"a {first.prepared.settings.model['type']} without logits"
        raise UserError(
            f"this run is {what}", where=str(runs[0].path), fix="ensembles are of networks on images, masks"
        )
    models, settings = [first.model], [first.prepared.settings]
    for run in runs[1:]:
        opened: Any = mask_run(run) if task == "segmentation" else network_of(run)
        _require_alike(runs[0], run, task)
        models.append(opened.model.eval().to(first.prepared.device))
        settings.append(opened.settings)
    together = ModelEnsemble(models, average, weights).eval()
    asked = [_asked(one) for one in settings]
    return RunEnsemble(
        tuple(runs),
        tuple(models),
        dataclasses.replace(first, model=together),
        tuple(together.shares),
        average,
        tuple(run for run, one in zip(runs, asked, strict=True) if one != asked[0]),
    )


def _require_alike(first: RunFolder, other: RunFolder, task: str) -> None:
    ours, theirs = (_fitted(run) for run in (first, other))
    for name in ("class_names", *_SEEN[task]):
        if ours.get(name) == theirs.get(name):
            continue
        what = "classes" if name == "class_names" else f"data.{name}" if name in ("size", "resize") else name
        normalised = name in ("normalise", "mean", "std", "scale")
        raise UserError(
            f"{what}: {_short(theirs.get(name))}, where {first.path} has {_short(ours.get(name))}",
            where=str(other.path),
            fix="train both with the same data.normalise (imagenet is the same for any training images)"
            if normalised
            else "networks that see the same images and know the same classes, in one order",
        )


def _fitted(run: RunFolder) -> dict[str, Any]:
    found: dict[str, Any] = load_tree((sibling(run) or run).checkpoint("fitted"))
    return {name: value for name, value in found.items() if not isinstance(value, torch.Tensor)}


def _asked(settings: Settings) -> Mapping[str, Any]:
    chosen = settings.evaluate
    return {name: getattr(chosen, name) for name in ("method", "window", "stride", "blend", "margin", "postprocess")}


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(f"{one:.4g}" if isinstance(one, float) else str(one) for one in value)
    return str(value)
