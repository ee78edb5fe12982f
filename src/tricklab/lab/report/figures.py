"""Figures of one run as PNG files, drawn from its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tricklab.errors import UserError
from tricklab.lab.report.confusion_figure import confusion_figure
from tricklab.lab.report.curve_figure import curve_figure
from tricklab.lab.report.image_figures import image_figures
from tricklab.lab.report.map_figures import class_map_figure, split_figure
from tricklab.lab.report.scene_maps import Fold, scene_maps
from tricklab.lab.report.shown_images import Images, ImageScores
from tricklab.records import Evidence, RunFolder


def run_figures(folder: str | os.PathLike[str], fold: Fold | Images | None = None) -> list[Path]:
    """Draw what the folder of a run allows into its ``figures/`` and return the files.

    ``curves.png`` (losses, evaluation metric with the trivial predictor, learning rate) and ``confusion.png``. Of a
    scene with the fold, or with ``predictions/map.npy`` (H, W; class index or -1), ``class_map.png``; with the fold
    ``split.png``. Of images ``reliability.png``, of masks ``classes.png``; of both, with the fold, ``worst.png`` and
    ``worst.html``. Only for the worst masks is the network asked once more.

    Args:
        folder: a run folder.
        fold: the block's data, where they are at hand: a scene's labels and where the pixels of each split lie, or
            images and which of them belong to each split.

    Raises:
        UserError: it is no run folder, two maps differ in size, or masks are not those that were scored.
    """
    run = RunFolder.open(folder)
    evidence = Evidence.from_folder(folder)
    result = evidence.result or {}
    classes = [str(name) for name in result.get("classes") or ()]
    monitor = str((evidence.recipe.get("metric") or {}).get("monitor", "val/oa"))
    written = []
    if evidence.rows:
        written.append(curve_figure(evidence, run.figures / "curves.png"))
    if evidence.recipe.get("task") == "classification":
        recorded = recorded_scores(run, monitor.partition("/")[0])
        if recorded is not None:
            images: Any = fold
            written += image_figures(recorded, classes, run.figures, images)
        return written
    if evidence.recipe.get("task") == "segmentation":
        return written + _of_masks(run, evidence, classes, monitor.partition("/")[0], fold)
    if result.get("confusion"):
        written.append(confusion_figure(np.asarray(result["confusion"]), classes, run.figures / "confusion.png"))
    prediction = _whole_scene(run.path)
    labels = None
    if fold is not None:
        scene: Any = fold
        maps = scene_maps(scene, run.scores(), monitor.partition("/")[0])
        labels, prediction = maps.labels, maps.prediction if prediction is None else prediction
        written.append(split_figure(maps.split, run.figures / "split.png"))
    if labels is not None or prediction is not None:
        written.append(class_map_figure(labels, prediction, classes, run.figures / "class_map.png"))
    return written


def _of_masks(run: RunFolder, evidence: Evidence, classes: list[str], split: str, fold: Any) -> list[Path]:
    """What a finished run on masks allows; the worst images need the data and the trained network."""
    from tricklab.lab.report.mask_run_figures import score_figures, worst_figures

    result = evidence.result or {}
    if not result.get("confusion"):
        return []
    unlabelled = (evidence.fact("data/unlabelled") or {}).get(split)
    trivial = (result.get("trivial") or {}).get(f"{split}/miou")
    confusion = np.asarray(result["confusion"])
    written = score_figures(confusion, classes, run.figures, unlabelled=unlabelled, trivial=trivial)
    if fold is None:
        return written
    from tricklab.tasks.mask_run import mask_run

    network = mask_run(run)
    ask = network.ask(network.settings.evaluate.method)
    return written + worst_figures(ask, fold, split, run.scores(), classes, run.figures)


def recorded_scores(run: RunFolder, split: str) -> ImageScores | None:
    """What a run on images has written down about the split that it is judged by; None if nothing."""
    kept = run.scores()
    if not {"index", "target", "prediction"} <= set(kept):
        return None
    return ImageScores(split, kept["index"], kept["target"], kept["prediction"], kept.get("confidence"))


def fold_of(folder: str | os.PathLike[str], data: str | os.PathLike[str] | None = None) -> Fold | Images:
    """The scene or the images of a run's block, split again as its recipe says.

    Args:
        data: folder of the data files; the run's own if not given.

    Raises:
        UserError: the run is not one of a recipe, or its data are not to be had.
    """
    from tricklab.recipe import load, resolve, settings
    from tricklab.registry import load as load_component
    from tricklab.seeds import Seeds

    run = RunFolder.open(folder)
    tree = run.recipe
    if not tree.get("task"):
        raise UserError("only runs of a recipe have data to draw", where=os.fspath(folder))
    if data is not None:
        tree["data"]["root"] = os.fspath(data)
    chosen = settings(resolve(load(tree)))
    task = load_component("task", chosen.task)(settings=chosen, seeds=Seeds(chosen.seed, run.declared["block"]))
    task.prepare()
    found: Fold | Images = task.fold
    return found


def scene_of(folder: str | os.PathLike[str]) -> Fold:
    """As ``fold_of``, of a run whose data are a scene.

    Raises:
        UserError: as ``fold_of``; the run has no scene.
    """
    task = RunFolder.open(folder).recipe.get("task")
    if task != "hyperspectral":
        raise UserError(f"{task} has no scene to draw a map of", where=os.fspath(folder))
    found: Any = fold_of(folder)
    scene: Fold = found
    return scene


def _whole_scene(folder: Path) -> NDArray[Any] | None:
    place = folder / "predictions" / "map.npy"
    return np.load(place, allow_pickle=False) if place.exists() else None
