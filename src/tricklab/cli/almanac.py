"""tricklab almanac: what a document claimed beside what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def command(
    experiments: Annotated[list[Path], typer.Argument(help="experiment folders, in the order of the page")],
    claims: Annotated[Path, typer.Option(help="the claims file (YAML): what the document says, which arms test it")],
    out: Annotated[Path, typer.Option(help="the Markdown file; its figures go into a folder of its name beside it")],
    as_json: Annotated[bool, typer.Option("--json", help="print the files as one JSON document")] = False,
) -> None:
    """Write a page of the almanac from run folders alone: claims beside verdicts, arms, leakage, commands, environment.

    Example:

      tricklab almanac runs/rates runs/se --claims docs/almanac/claims/hybridsn.yaml --out docs/almanac/hybridsn.md
    """
    from tricklab.lab.report import write_almanac

    files = [str(path) for path in write_almanac(experiments, claims, out)]
    print(json.dumps({"files": files}, indent=1) if as_json else "\n".join(files))
