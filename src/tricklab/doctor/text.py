"""What pasted text can prove: groups of final accuracies, judged; and what is wrong with its code."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tricklab.doctor.code import Code
from tricklab.doctor.code_rules import run_code_rules
from tricklab.doctor.finding import Finding
from tricklab.errors import UserError

_KEPT = ("effect", "interval", "p", "steadiness", "verdict")
_RESULT = re.compile(r"^\s*(?:accuracy|acc|oa)\s*[:=]?\s+([01]?\.\d+|1\.0*|0)\s*(?:[,/ ]\s*(\d+))?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Group:
    """Final scores that stand together in a text: the same script run several times.

    Args:
        values: shares in [0, 1].
        size: evaluated items, where the text tells it.
        lines: line number of each value, from 1.
    """

    values: tuple[float, ...]
    size: int | None
    lines: tuple[int, ...]


@dataclass(frozen=True)
class TextLog:
    """What was read from a text: groups of scores and its code."""

    path: str
    groups: tuple[Group, ...]
    code: Code


def read_text(path: Path | str, gap: int = 4) -> TextLog:
    """Read a log or a web page's text.

    Args:
        path: a text file, UTF-8.
        gap: scores further apart than this many other lines belong to different groups.

    Raises:
        UserError: no such file, not text, or neither a score nor code in it.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise UserError(f"cannot be read as text: {cause}", where=str(path)) from None
    groups: list[list[tuple[int, float, int | None]]] = []
    last = -(10**9)
    for number, line in enumerate(text.splitlines(), start=1):
        match = _RESULT.match(line)
        if match is None:
            continue
        if number - last - 1 > gap:
            groups.append([])
        groups[-1].append((number, float(match[1]), int(match[2]) if match[2] else None))
        last = number
    code = Code(text)
    if not groups and not code.found:
        raise UserError(
            "no run folder and no text with scores or code in it",
            where=str(path),
            fix="tricklab doctor takes a recipe, a run folder, or a text with Python code or with lines such as "
            "'accuracy 0.9498 9225'",
        )
    found = tuple(Group(tuple(v for _, v, _ in rows), rows[0][2], tuple(n for n, _, _ in rows)) for rows in groups)
    return TextLog(str(path), found, code)


def text_findings(log: TextLog) -> list[Finding]:
    """Judge neighbouring groups of scores against each other and name what the text's code leaves out."""
    findings = [_compared(log, first, second) for first, second in zip(log.groups, log.groups[1:], strict=False)]
    if ".train()" in log.code.text and ".eval()" not in log.code.text:
        findings.append(
            Finding(
                "S02",
                "note",
                "the code shown calls train() and never eval(): dropout may have been on during the test",
                {},
                ("model.eval() is missing", "the test loop is not part of the text"),
                "evaluate the same weights twice: with dropout on the two numbers differ",
            )
        )
    return [*findings, *run_code_rules(log.code)]


def _compared(log: TextLog, first: Group, second: Group) -> Finding:
    from tricklab.statistics import judge_lists

    where = f"{log.path}: lines {first.lines[0]}-{first.lines[-1]} against lines {second.lines[0]}-{second.lines[-1]}"
    if min(len(first.values), len(second.values)) < 2:
        return Finding("M08", "note", f"{where}: a single run on one side proves nothing about the mean", {})
    judged = judge_lists(first.values, second.values).to_dict()["tricks"][0]
    numbers: dict[str, Any] = {
        "first": list(first.values),
        "second": list(second.values),
        **{key: judged[key] for key in _KEPT},
    }
    spread = [_deviation(group.values) for group in (first, second)]
    numbers |= {"sd_first": spread[0], "sd_second": spread[1]}
    title = (
        f"{where}: means {_mean(first.values):.4f} and {_mean(second.values):.4f} are {judged['verdict']} "
        f"(Welch p = {judged['p']:.2g}); the spread went from {100 * spread[0]:.2f} to {100 * spread[1]:.2f} points"
    )
    causes = ["runs differ by seed, so few runs cannot show a mean difference of this size"]
    if first.size:
        floor = math.sqrt(_mean(second.values) * (1 - _mean(second.values)) / first.size)
        numbers["binomial_se"] = floor
        causes.append(f"{first.size} test items alone give a standard error of {100 * floor:.2f} points")
    return Finding(
        "M08",
        "warning" if judged["verdict"] == "undecided" else "note",
        title,
        numbers,
        tuple(causes),
        "repeat both on the same random blocks: tricklab ablate RECIPE +trick --blocks 5",
    )


def _mean(values: tuple[float, ...]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: tuple[float, ...]) -> float:
    mean = _mean(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
