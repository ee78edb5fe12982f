"""tricklab doctor: why a run went wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tricklab.doctor import Finding


def command(
    target: Annotated[str, typer.Argument(help="a recipe, a run folder, an experiment, or a text with scores or code")],
    changes: Annotated[list[str] | None, typer.Argument(help="+tricks and key=value, for a recipe")] = None,
    data: Annotated[Path | None, typer.Option(help="folder of the data files, for a recipe")] = None,
    block: Annotated[int | None, typer.Option(min=0, help="whose split is looked at, for a recipe (0)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Ranked causes with evidence, and the recipe diff that would fix each.

    Exit code 1 when something of severity error was found, 0 otherwise.

    Examples:

      tricklab doctor salinas-a-hybridsn --data DIR        before training: leakage, statistics, class balance

      tricklab doctor plant-seedlings-resnet10t --data DIR copies, labels, files, normalisation, shapes of images

      tricklab doctor runs/demo/se/0                       what a run's own records show

      tricklab doctor notes.txt                            groups of pasted accuracies, judged; faults in pasted code
    """
    findings = examine(target, changes or [], data, block)
    if as_json:
        print(json.dumps({"target": target, "findings": [{"where": w, **f.to_dict()} for w, f in findings]}, indent=2))
    else:
        show(target, findings)
    if any(finding.severity == "error" for _, finding in findings):
        raise typer.Exit(1)


def examine(target: str, changes: list[str], data: Path | None, block: int | None) -> list[tuple[str, Finding]]:
    """(where, finding) for a recipe, a run folder, an experiment or a text.

    Raises:
        UserError: changes, data or a block for what is no recipe.
    """
    from tricklab.cli.doctor_recipe import evidence_before_training
    from tricklab.doctor import read_text, run_rules, text_findings
    from tricklab.records import Evidence

    path = Path(target)
    if path.is_dir():
        runs = [path] if (path / "recipe.yaml").is_file() else sorted(p.parent for p in path.glob("*/*/recipe.yaml"))
        if runs:
            _refuse_for_records(changes, data, block)
            return [(str(run), found) for run in runs for found in run_rules(Evidence.from_folder(run))]
    if path.is_file() and path.suffix not in (".yaml", ".yml"):
        _refuse_for_records(changes, data, block)
        return [(target, found) for found in text_findings(read_text(path))]
    evidence = evidence_before_training(target, changes, data, block or 0)
    return [(target, found) for found in run_rules(evidence, "before")]


def _refuse_for_records(changes: list[str], data: Path | None, block: int | None) -> None:
    from tricklab.errors import UserError

    given = [*changes, *(["--data"] if data is not None else []), *(["--block"] if block is not None else [])]
    if given:
        raise UserError(
            f"{given[0]} is for a recipe; what was recorded cannot be changed", where="command line", fix="leave it out"
        )


def _signature(finding: Finding) -> tuple[str, str]:
    """What makes two findings of different runs alike: the rule and the words without their numbers."""
    return finding.rule, re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", finding.title)


def show(target: str, findings: list[tuple[str, Finding]]) -> None:
    """Print findings as a person would want to read them: gravest first, each with evidence, test and cure."""
    from rich.markup import escape

    from tricklab.cli.console import console

    out = console()
    if not findings:
        out.print(f"{escape(target)}: [green]nothing found[/green]", soft_wrap=True)
        return
    alike = Counter(_signature(finding) for _, finding in findings)
    shown: set[tuple[str, str]] = set()
    colours = {"error": "bold red", "warning": "yellow", "note": "cyan"}
    for where, finding in findings:
        if _signature(finding) in shown:
            continue
        shown.add(_signature(finding))
        others = alike[_signature(finding)] - 1
        if where != target:
            more = f" and {others} more run{'s' if others > 1 else ''} alike" if others else ""
            out.print(f"\n[bold]{escape(where)}[/bold]{more}", soft_wrap=True)
        colour = colours[finding.severity]
        out.print(f"[{colour}]{finding.severity:7} {finding.rule}[/{colour}] {escape(finding.title)}", soft_wrap=True)
        for number, cause in enumerate(finding.causes, start=1):
            out.print(f"    cause {number}: {escape(cause)}", soft_wrap=True)
        if finding.cheapest_test:
            out.print(f"    cheapest test: {escape(finding.cheapest_test)}", soft_wrap=True)
        if finding.fix:
            out.print(f"    fix: {escape(' '.join(finding.fix))}", soft_wrap=True)
