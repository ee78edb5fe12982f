"""`tricklab judge`: a verdict on two lists of scores."""

from __future__ import annotations

import json as json_format
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tricklab.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from tricklab.statistics import ArmSummary, Judgement


def command(
    a: Annotated[str, typer.Argument(help="the baseline's scores, separated by spaces or commas, or @FILE")],
    b: Annotated[str, typer.Argument(help="the scores with the trick, likewise")],
    paired: Annotated[
        bool, typer.Option("--paired", help="the n-th scores of both come from one block (seed)")
    ] = False,
    delta: Annotated[float | None, typer.Option(help="the smallest effect worth having, in the scores' unit")] = None,
    lower: Annotated[bool, typer.Option("--lower-is-better", help="the scores are losses or errors")] = False,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Judge whether list B is better than list A, in the mean and in steadiness.

    Example: tricklab judge ".9498 .9786 .9560" ".9780 .9778 .9808 .9802 .9797"

    Lists that begin with a minus sign stand after --.
    """
    from tricklab.statistics import judge_lists

    scores_a, scores_b = read_numbers(a, "A"), read_numbers(b, "B")
    judgement = judge_lists(scores_a, scores_b, paired=paired, delta=delta, direction="min" if lower else "max")
    if json:
        print(json_format.dumps(judgement.to_dict(), ensure_ascii=False, allow_nan=False))
        return
    from tricklab.cli.console import console

    out = console()
    out.print(verdict_table(judgement))
    trick = judgement.tricks[0]
    for line in (trick.text, *trick.flags, *judgement.notes):
        out.print(line, markup=False, soft_wrap=True)


def read_numbers(text: str, name: str) -> list[float]:
    """The numbers in `text`, or in the file that it names after an @."""
    where = f"list {name}"
    if text.startswith("@"):
        where = f"list {name}, {text[1:]}"
        try:
            text = Path(text[1:]).expanduser().read_text(encoding="utf-8")
        except (OSError, RuntimeError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(f"the file cannot be read: {reason}", where=where) from error
    words = [word for word in re.split(r"[\s,;]+", text.strip().strip("[]()")) if word]
    if not words:
        raise UserError("there are no numbers", where=where, fix='for example ".95 .96 .97"')
    return [_number(word, where) for word in words]


def _number(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise UserError(f"{word!r} is not a number", where=where, fix="numbers separated by spaces or commas") from None
    if not math.isfinite(value):
        raise UserError(f"{word!r} is not a score", where=where, fix="leave failed runs out, and say so")
    return value


def verdict_table(judgement: Judgement) -> Table:
    """Two rows: the mean and the steadiness."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    first, second = judgement.arms
    trick = judgement.tricks[0]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("", f"A ({first.n})", f"B ({second.n})", "effect", "interval", "p", "verdict"):
        table.add_column(column, no_wrap=column in ("", "p", "verdict"))
    ends = "" if trick.interval is None else f"{trick.interval[0]:+.4f} to {trick.interval[1]:+.4f}"
    table.add_row(
        "mean",
        f"{first.mean:.4f}",
        f"{second.mean:.4f}",
        f"{trick.effect:+.4f}",
        ends,
        _figure(trick.p),
        f"[bold]{trick.verdict}[/bold]" + (", worth it" if trick.worth_it else ""),
    )
    steadiness = trick.steadiness
    if steadiness is not None:
        ratio = "" if steadiness.ratio is None else f"× {steadiness.ratio:.3g}"
        check = "" if steadiness.check_p is None else f"check p {steadiness.check_p:.2g}"
        table.add_row(
            "spread (sd)",
            _sd(first),
            _sd(second),
            ratio,
            check,
            _figure(steadiness.p),
            f"[bold]{steadiness.verdict}[/bold]",
        )
    return table


def _sd(arm: ArmSummary) -> str:
    return "" if arm.sd is None else f"{arm.sd:.4f}"


def _figure(p: float | None) -> str:
    return "" if p is None else f"{p:.2g}"
