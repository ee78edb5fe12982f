"""Write an experiment's report from its folder."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from tricklab.lab.report.class_effects import class_effects
from tricklab.lab.report.page import html
from tricklab.lab.report.source import Source, read
from tricklab.lab.report.text import classes_csv, markdown, runs_csv, verdicts_csv
from tricklab.records import dumps, write_atomic

FILES = {
    "html": "report.html",
    "markdown": "report.md",
    "csv": "report.csv",
    "runs": "report-runs.csv",
    "classes": "report-classes.csv",
    "json": "report.json",
}


def write(
    experiment: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    outcome: dict[str, Any] | None = None,
) -> dict[str, Path]:
    """Write ``report.html``, ``report.md``, ``report.csv`` (one line per trick), ``report-runs.csv`` (one per run),
    ``report-classes.csv`` (one per class and trick, where runs recorded classes) and ``report.json`` (the
    machine-readable result, with ``per_class`` where there are classes).

    Args:
        experiment: an experiment's folder.
        out: where to write; the experiment's folder if not given.
        outcome: the machine-readable result, if it is known already; else it is computed from the folder.

    Returns:
        Path by kind: ``html``, ``markdown``, ``csv``, ``runs``, ``classes`` where there are classes, ``json``.

    Raises:
        UserError: it is no experiment, or a file in it is damaged.
    """
    source = source_of(experiment, outcome)
    place = Path(out) if out is not None else source.folder
    place.mkdir(parents=True, exist_ok=True)
    written = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    classes = class_effects(source)
    files = {kind: name for kind, name in FILES.items() if kind != "classes" or classes is not None}
    beside = [name for kind, name in files.items() if kind != "html"]
    contents = {
        "html": html(source, written=written, beside=beside, classes=classes),
        "markdown": markdown(source, written=written, classes=classes),
        "csv": verdicts_csv(source),
        "runs": runs_csv(source),
        "classes": classes_csv(classes),
        "json": dumps(
            source.outcome if classes is None else {**source.outcome, "per_class": classes.to_dict()}, indent=1
        ),
    }
    for kind, name in files.items():
        write_atomic(place / name, contents[kind])
    return {kind: place / name for kind, name in files.items()}


def source_of(experiment: str | os.PathLike[str], outcome: dict[str, Any] | None = None) -> Source:
    """The experiment as reports see it; its verdicts are computed from the folder unless they are given."""
    if outcome is None:
        from tricklab.lab.result import experiment_result

        outcome = experiment_result(experiment)
    return read(experiment, outcome)
