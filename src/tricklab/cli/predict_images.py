"""What `tricklab predict` does with runs on images: one row for each image, as CSV and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

import numpy as np

from tricklab.errors import UserError, nearest

if TYPE_CHECKING:
    from tricklab.engine.image_network import ImageNetwork, PredictedBatch
    from tricklab.metrics.report.reliability import Reliability


@dataclass(frozen=True)
class Wanted:
    """What the rows hold.

    Args:
        top_k: classes that are named, most probable first.
        everything: also the probability of each class.
        truth: ``folders``: the name of an image's folder is its class; None: no truth.
        unreadable: ``error`` or ``skip``.
        forms: ``csv``, ``json`` or both.
    """

    top_k: int
    everything: bool
    truth: Literal["folders"] | None
    unreadable: Literal["error", "skip"]
    forms: tuple[str, ...]


@dataclass
class Tally:
    """What adds up while images go by."""

    classes: tuple[str, ...]
    counts: np.ndarray
    confusion: np.ndarray
    reliability: Reliability
    unreadable: list[dict[str, str]] = field(default_factory=list)


def images_of(inputs: Sequence[str]) -> list[Path]:
    """The image files that inputs name: files as they are, folders with all folders below.

    Raises:
        UserError: nothing named, no such file, or no image below a folder.
    """
    from tricklab.data.layouts.folder_scan import images_below

    if not inputs:
        raise UserError("images to predict are needed", where="inputs", fix="name files or folders")
    found: list[Path] = []
    for name in inputs:
        place = Path(name)
        if place.is_dir():
            below, _ = images_below(place)
            if not below:
                raise UserError("there is no image in this folder or below it", where=name)
            found += below
        elif place.is_file():
            found.append(place)
        else:
            raise UserError("no such file or folder", where=name)
    return found


def labels_of(paths: Sequence[Path], classes: Sequence[str]) -> dict[Path, int]:
    """The class of each image by the name of its folder.

    Raises:
        UserError: a folder's name is no class of the run.
    """
    number = {name: place for place, name in enumerate(classes)}
    for path in paths:
        if path.resolve().parent.name not in number:
            raise UserError(
                f"the folder {path.resolve().parent.name!r} is no class of this run",
                where=str(path),
                fix=nearest(path.resolve().parent.name, classes),
            )
    return {path: number[path.resolve().parent.name] for path in paths}


def predict_images(network: ImageNetwork, paths: Sequence[Path], out: Path, wanted: Wanted) -> dict[str, Any]:
    """Predict images and write ``predictions.csv`` and ``predictions.json``, a batch at a time.

    Returns:
        ``images``, ``predicted`` {class: count}, ``unreadable`` [{path, why}], ``files``; with truth ``scores``.

    Raises:
        UserError: ``top_k`` is larger than the number of classes, a file is no image, or no file is one; nothing is
            left half written.
    """
    from tricklab.engine.image_network import predicted_batches
    from tricklab.metrics.report.reliability import Reliability

    classes = network.classes
    if not 1 <= wanted.top_k <= len(classes):
        raise UserError(f"there are {len(classes)} classes", where="--top-k", fix=f"1 to {len(classes)}")
    labels = labels_of(paths, classes) if wanted.truth else None
    count = len(classes)
    tally = Tally(classes, np.zeros(count, np.int64), np.zeros((count, count), np.int64), Reliability())
    files = [out / f"predictions.{form}" for form in wanted.forms]
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        writers = [stack.enter_context(_WRITERS[path.suffix](path, network, wanted, tally)) for path in files]
        progress = stack.enter_context(_bar(len(paths)))
        for batch in predicted_batches(network, paths, unreadable=wanted.unreadable, progress=progress):
            rows = _rows(batch, classes, wanted, labels, tally)
            for writer in writers:
                writer(rows)
        if not tally.counts.sum():
            raise UserError(
                f"none of the {len(paths):,} files can be read as an image", where=str(paths[0]),
                fix=tally.unreadable[0]["why"],
            )  # fmt: skip
    found: dict[str, Any] = {
        "run": str(network.run.path),
        "images": int(tally.counts.sum()),
        "predicted": dict(zip(classes, tally.counts.tolist(), strict=True)),
        "unreadable": tally.unreadable,
        "files": [str(path) for path in files],
    }
    return found if labels is None else {**found, "scores": _scores(tally)}


def show_predictions(found: dict[str, Any]) -> None:
    """Print what ``predict_images`` found, for a person."""
    from tricklab.cli.class_table import class_table
    from tricklab.cli.console import console

    out = console()
    total = max(found["images"], 1)
    if "scores" in found:
        scores = found["scores"]
        out.print(class_table(scores["classes"]))
        out.print(
            f"\naccuracy {scores['accuracy']:.4f} {found['images']}   balanced accuracy "
            f"{scores['balanced_accuracy']:.4f}   macro F1 {scores['macro_f1']:.4f}   calibration error "
            f"{scores['calibration']['ece']:.4f}"
        )
    else:
        shares = sorted(found["predicted"].items(), key=lambda item: -item[1])
        told = ", ".join(f"{name} {count:,} ({count / total:.1%})" for name, count in shares if count)
        out.print(f"{found['images']:,} images: {told}", markup=False, soft_wrap=True)
    if found["unreadable"]:
        out.print(f"{len(found['unreadable']):,} files cannot be read as images:")
        for one in found["unreadable"][:5]:
            out.print(f"  {one['path']}: {one['why']}", markup=False, soft_wrap=True)
        if len(found["unreadable"]) > 5:
            out.print("  …; the others stand in predictions.json and with --json")
    for path in found["files"]:
        out.print(path, soft_wrap=True, markup=False)


def _rows(
    batch: PredictedBatch, classes: Sequence[str], wanted: Wanted, labels: dict[Path, int] | None, tally: Tally
) -> list[dict[str, Any]]:
    probabilities = batch.probabilities
    tally.unreadable += [{"path": str(path), "why": why} for path, why in batch.unreadable.items()]
    if not len(probabilities):
        return []
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : wanted.top_k]
    best = order[:, 0]
    tally.counts += np.bincount(best, minlength=len(classes))
    truth = None if labels is None else np.array([labels[path] for path in batch.paths])
    if truth is not None:
        from tricklab.metrics import confusion_matrix

        tally.confusion += confusion_matrix(truth, best, len(classes))
        tally.reliability.add(probabilities.max(axis=1), best == truth)
    rows = []
    for place, path in enumerate(batch.paths):
        row: dict[str, Any] = {"path": str(path)}
        for rank, number in enumerate(order[place].tolist(), start=1):
            end = "" if rank == 1 else f"_{rank}"
            row |= {f"class{end}": classes[number], f"probability{end}": float(probabilities[place, number])}
        if truth is not None:
            row |= {"label": classes[truth[place]], "right": bool(truth[place] == best[place])}
        if wanted.everything:
            row["probabilities"] = dict(zip(classes, probabilities[place].tolist(), strict=True))
        rows.append(row)
    return rows


def _scores(tally: Tally) -> dict[str, Any]:
    from tricklab.metrics import average_accuracy, overall_accuracy, per_class_report
    from tricklab.metrics.classes import macro_f1

    return {
        "accuracy": overall_accuracy(tally.confusion),
        "balanced_accuracy": average_accuracy(tally.confusion),
        "macro_f1": macro_f1(tally.confusion),
        "calibration": tally.reliability.as_data(),
        "classes": per_class_report(tally.confusion, list(tally.classes)),
        "confusion": tally.confusion.tolist(),
    }


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """A file that appears under its name when it is complete."""
    from tricklab.records.atomic import replacing

    with replacing(path) as place, place.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextmanager
def _csv(path: Path, network: ImageNetwork, wanted: Wanted, tally: Tally) -> Iterator[Any]:
    names = ["path"]
    for rank in range(1, wanted.top_k + 1):
        end = "" if rank == 1 else f"_{rank}"
        names += [f"class{end}", f"probability{end}"]
    names += ["label", "right"] if wanted.truth else []
    each = [f"probability of {name}" for name in network.classes] if wanted.everything else []
    with _opened(path) as file:
        writer = csv.writer(file)
        writer.writerow([*names, *each])

        def write(rows: list[dict[str, Any]]) -> None:
            for row in rows:
                writer.writerow(
                    [*(_cell(row[name]) for name in names), *map(_cell, row.get("probabilities", {}).values())]
                )

        yield write


@contextmanager
def _json(path: Path, network: ImageNetwork, wanted: Wanted, tally: Tally) -> Iterator[Any]:
    """One object whose list of images has a line each, so that neither writing nor reading needs them all at once."""
    with _opened(path) as file:
        head = {"run": str(network.run.path), "classes": list(network.classes)}
        file.write(json.dumps(head, ensure_ascii=False)[:-1] + ',\n"images": [')
        begun = False

        def write(rows: list[dict[str, Any]]) -> None:
            nonlocal begun
            for row in rows:
                file.write((",\n" if begun else "\n") + json.dumps(row, ensure_ascii=False))
                begun = True

        yield write
        file.write('\n],\n"unreadable": ' + json.dumps(tally.unreadable, ensure_ascii=False))
        if wanted.truth:
            file.write(',\n"scores": ' + json.dumps(_scores(tally), ensure_ascii=False))
        file.write("}\n")


_WRITERS: dict[str, Any] = {".csv": _csv, ".json": _json}


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return f"{value:.6g}" if isinstance(value, float) else value


@contextmanager
def _bar(total: int) -> Iterator[Any]:
    """A bar on standard error that counts images; gone when they are done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("images", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as bar:
        task = bar.add_task("images", total=total)
        yield lambda done: bar.update(task, completed=done)
