"""tricklab test: per-class report of a run on its test set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tricklab.engine import LoadedRun
    from tricklab.tasks.base import Evaluation


TITLES = {
    "oa": "accuracy",
    "aa": "average accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "top5": "top-5 accuracy",
    "ece": "expected calibration error",
}


def command(
    run: Annotated[list[str], typer.Argument(help="a finished run, or the folder of one run; several: as an ensemble")],
    on: Annotated[str, typer.Option(help="which items: test, val or train")] = "test",
    top_k: Annotated[
        int | None, typer.Option(min=1, help="images: is the class among the k most probable? (5)")
    ] = None,
    grad_cam: Annotated[
        int, typer.Option(min=0, help="images: show where the network looks in so many of them, mistakes first")
    ] = 0,
    layer: Annotated[str | None, typer.Option(help="with --grad-cam: the module whose map is shown")] = None,
    average: Annotated[str | None, typer.Option(help="several runs: mean of probabilities (default) or logits")] = None,
    weights: Annotated[str | None, typer.Option(help="several runs: weight of each in the mean: 2,1")] = None,
    data: Annotated[str | None, typer.Option(help="folder of the data files, if they have moved")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (those of the run)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Precision, recall, F1 and support of every class on the test set, beside what a trivial predictor scores.

    Of images also ranking (AUROC, average precision), top-k, calibration, and a gallery of the most confident mistakes.

    Of masks IoU, accuracy, Dice and precision of every class, scores of all pixels and of images, and the worst images.

    Several runs on images or masks, whatever their networks, are scored each alone and as an ensemble. The first run's
    recipe says how they are asked. They must know the same classes, see images normalised alike, and have the same
    images in the set: a network that was trained on one of them is refused.

    Each look at the test set is noted in the run's events: what has been looked at often is no test set any more.

    Examples:

      tricklab test runs/demo-1f3a2c

      tricklab test runs/demo-1f3a2c/run/0 --on val --json

      tricklab test runs/plants-1f3a2c --grad-cam 12

      tricklab test runs/roads-fcn runs/roads-pspnet --on val --average logits
    """
    from tricklab.cli.resume import single_run
    from tricklab.cli.test_images import add_images, figures_of
    from tricklab.engine import load_run
    from tricklab.errors import UserError
    from tricklab.lab.report import run_figures
    from tricklab.records import dumps

    if on not in ("test", "val", "train"):
        raise UserError(f"unknown set {on!r}", where="--on", fix="test, val or train")
    if len(run) > 1:
        unfit = next((name for name, given in (("--grad-cam", grad_cam), ("--layer", layer)) if given), None)
        if unfit is not None:
            raise UserError("this is for one run", where=unfit)
        from tricklab.cli.test_ensembles import scored_ensemble, show_ensemble

        found, kind = scored_ensemble([Path(one) for one in run], on, average, weights, top_k, data, threads)
        if as_json:
            print(dumps(found, indent=2))
            return
        show_ensemble(found, kind)
        if kind == "segmentation":
            from tricklab.cli.test_masks import show_masks

            show_masks(found)
        else:
            show(found)
        return
    for name, option in (("--average", average), ("--weights", weights)):
        if option is not None:
            raise UserError("this is for several runs", where=name)
    folder = single_run(Path(run[0]))
    images = folder.recipe.get("task") == "classification"
    for name, given in (("--top-k", top_k), ("--grad-cam", grad_cam), ("--layer", layer)):
        if given and not images:
            raise UserError("this is for runs on images", where=name)
    if layer is not None and not grad_cam:
        raise UserError("a layer is for --grad-cam", where="--layer", fix="add --grad-cam 12")
    loaded = load_run(folder.path, data=data, threads=threads)
    if layer is not None and hasattr(loaded.model, "named_modules"):
        from tricklab.inference.grad_cam import require_layer

        require_layer(loaded.model, layer)
    evaluation = loaded.evaluate(on)
    if folder.recipe.get("task") == "segmentation":
        from tricklab.cli.test_masks import figures_of_masks, report_masks, show_masks
        from tricklab.tasks.window_agreement import agreement_of_run

        masks = report_masks(loaded, evaluation)
        masks["figures"] = [str(path) for path in figures_of_masks(loaded, evaluation)]
        fold = vars(loaded.task)["fold"]
        apart = agreement_of_run(loaded.model, loaded.prepared.settings.evaluate, fold, on)
        masks["other_windows"] = apart and apart.as_data()
        print(dumps(masks, indent=2)) if as_json else show_masks(masks)
        if apart is not None and not as_json:
            print(f"asked in windows of another size ({apart.images} images): {apart}")
        return
    found = report(loaded, evaluation)
    if images:
        found |= add_images(loaded, evaluation, found, top_k)
        found["figures"] = [str(path) for path in figures_of(loaded, evaluation, grad_cam, layer)]
    else:
        task: Any = loaded.task
        found["figures"] = [str(path) for path in run_figures(folder.path, task.fold)]
    if as_json:
        print(dumps(found, indent=2))
    else:
        show(found)


def report(loaded: LoadedRun, evaluation: Evaluation) -> dict[str, Any]:
    """Everything that the command says, as plain data."""
    from tricklab.metrics import binomial_standard_error, overall_accuracy, per_class_report

    split = evaluation.split
    assert evaluation.targets is not None
    size = len(evaluation.targets)
    accuracy = overall_accuracy(evaluation.confusion)
    leakage = loaded.task.facts().get("data/leakage", {}).get("splits", {}).get(split)
    return {
        "run": str(loaded.run.path),
        "split": split,
        "size": size,
        "items": "images" if loaded.prepared.settings.task == "classification" else "pixels",
        "accuracy": accuracy,
        "standard_error": binomial_standard_error(accuracy, size),
        "values": evaluation.values,
        "trivial": loaded.task.trivial(split),
        "classes": per_class_report(evaluation.confusion, list(loaded.task.classes)),
        "confusion": evaluation.confusion.tolist(),
        "leakage": leakage,
        "looks_at_test": sum(event["kind"] == "test_touched" for event in loaded.run.events()),
    }


def show(found: dict[str, Any]) -> None:
    """Print the report for a person."""
    from tricklab.cli.class_table import class_table
    from tricklab.cli.console import console
    from tricklab.cli.test_images import show_images

    out = console()
    ranked = found.get("ranking") is not None
    out.print(class_table(found["classes"]))
    values, trivial = found["values"], found["trivial"]
    out.print(
        f"\naccuracy {found['accuracy']:.4f} {found['size']}   (overall accuracy, number of {found['split']} "
        f"{found['items']}; standard error {found['standard_error']:.4f} if they were independent)"
    )
    others = [key for key in values if key not in ("oa", "accuracy", "loss", *(("top5", "ece") if ranked else ()))]
    out.print("   ".join(f"{TITLES.get(key, key)} {values[key]:.4f}" for key in others))
    said = ", ".join(f"{TITLES.get(key, key)} {value:.4f}" for key, value in trivial.items())
    out.print(f"always the commonest training class: {said}")
    if "confused" in found:
        show_images(found, out)
    leakage = found["leakage"]
    if leakage:
        out.print(
            f"leakage: {leakage['centre_share']:.1%} of these windows hold a training centre, "
            f"{leakage['touch_share']:.1%} touch a training window, "
            f"{leakage['covered_share']:.1%} of their area is covered"
        )
    if found["split"] == "test":
        out.print(f"looks at the test set so far: {found['looks_at_test']}")
    for path in found["figures"]:
        out.print(f"figure: {path}", soft_wrap=True, markup=False)
