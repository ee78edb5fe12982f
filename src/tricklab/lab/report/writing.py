"""Write an experiment's report from its folder."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from tricklab.lab.report.page import html
from tricklab.lab.report.source import Source, read
from tricklab.lab.report.text import markdown, runs_csv, verdicts_csv
from tricklab.records import dumps, write_atomic

FILES = {
    "html": "report.html",
    "markdown": "report.md",
    "csv": "report.csv",
    "runs": "report-runs.csv",
    "json": "report.json",
}


def write(
    experiment: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    outcome: dict[str, Any] | None = None,
) -> dict[str, Path]:
    """Write ``report.html``, ``report.md``, ``report.csv`` (one line per trick), ``report-runs.csv`` (one per run) and
    ``report.json`` (the machine-readable result).

    Args:
        experiment: an experiment's folder.
        out: where to write; the experiment's folder if not given.
        outcome: the machine-readable result, if it is known already; else it is computed from the folder.

    Returns:
        Path by kind: ``html``, ``markdown``, ``csv``, ``runs``, ``json``.

    Raises:
        UserError: it is no experiment, or a file in it is damaged.
    """
    source = source_of(experiment, outcome)
    place = Path(out) if out is not None else source.folder
    place.mkdir(parents=True, exist_ok=True)
    written = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    contents = {
        "html": html(source, written=written, beside=[name for key, name in FILES.items() if key != "html"]),
        "markdown": markdown(source, written=written),
        "csv": verdicts_csv(source),
        "runs": runs_csv(source),
        "json": dumps(source.outcome, indent=1),
    }
    for kind, content in contents.items():
        write_atomic(place / FILES[kind], content)
    return {kind: place / name for kind, name in FILES.items()}


def source_of(experiment: str | os.PathLike[str], outcome: dict[str, Any] | None = None) -> Source:
    """The experiment as reports see it; its verdicts are computed from the folder unless they are given."""
    if outcome is None:
        from tricklab.lab.result import experiment_result

        outcome = experiment_result(experiment)
    return read(experiment, outcome)
