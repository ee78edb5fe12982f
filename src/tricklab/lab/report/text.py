"""The report as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

from tricklab import __version__
from tricklab.lab.report import circumstances, tables, words
from tricklab.lab.report.class_effects import ClassEffects
from tricklab.lab.report.class_tables import CSV_COLUMNS, class_headings, class_lines, class_section
from tricklab.lab.report.source import Source, ends

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
VERDICT_COLUMNS = ("trick", "verdict", "effect", "low", "high", "p", "p_holm", "wins", "interaction", "sd_ratio",
                   "steadiness", "steadiness_p", "blocks_needed", "live")  # fmt: skip


def escaped(text: str) -> str:
    """Text in which Markdown (and HTML inside it) finds nothing to interpret; line breaks become spaces.

    >>> escaped("<script> a|b *c*")
    '\\\\<script\\\\> a\\\\|b \\\\*c\\\\*'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; every cell is escaped."""
    lines = [header, ["---"] * len(header), *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def code(text: str) -> str:
    """An indented block: nothing in it can close it."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def verdict_table(source: Source) -> str:
    """Verdicts with effect, interval, corrected p, wins and steadiness."""
    rows = [
        [
            row["name"], f"{row['symbol']} {row['verdict']}", row["effect"], row["interval"], row["p"], row["p_holm"],
            row["wins"]["measured"], f"{row['steadiness']['verdict']} ({row['steadiness']['measured']})",
            row["interaction"],
        ]
        for row in tables.verdict_rows(source)
    ]  # fmt: skip
    return table(["trick", "verdict", "effect", "interval", "p", "p (Holm)", "wins", "steadiness", "interaction"], rows)


def remark_list(source: Source) -> str:
    """What short arm names stand for, and everything beside the verdicts that a reader must know."""
    lines = [f"- {escaped(name)} stands for {escaped(changes)}" for name, changes in tables.arm_meanings(source)]
    lines += [f"- {escaped(f'{name}: {said}' if name else said)}" for name, said in words.remarks(source)]
    return "\n".join(lines)


def arm_table(source: Source) -> str:
    """Mean, spread and cost of each arm."""
    keys = ("name", "n", "failed", "mean", "sd", "lowest", "highest", "cost")
    rows = [[row[key] for key in keys] for row in tables.arm_rows(source)]
    return table(["arm", "runs", "failed", "mean", "sd", "lowest", "highest", "per run"], rows)


def value_table(source: Source) -> str:
    """Every arm's value in every block."""
    rows = [[row["name"], *row["cells"]] for row in tables.value_rows(source)]
    return table(["arm", *(f"block {block}" for block in source.blocks)], rows)


def class_text(found: ClassEffects) -> list[str]:
    """What the tricks did to each class: lines of Markdown."""
    section = class_section(found)
    assert section is not None
    lines = ["## Classes", "", f"> {escaped(section['note'])}", ""]
    if len(section["each"]) > 1:
        rows = [
            [row["name"], row["share"], row["baseline"], *(c["text"] for c in row["cells"])] for row in section["rows"]
        ]
        titles = [escaped(title) for title in class_headings(section, alone=False)]
        lines += [escaped(section["caption"].partition(" Strong:")[0]), "", table(titles, rows), ""]
    keys = ("name", "share", "without", "with_", "effect", "interval", "blocks")
    for trick in section["each"]:
        lines += [f"### {escaped(trick['name'])}", ""]
        lines += [table(class_headings(section, alone=True), [[row[key] for key in keys] for row in trick["rows"]]), ""]
    return [*lines, escaped(section["left"]), ""]


def classes_csv(found: ClassEffects | None) -> str:
    """One line per class and trick, numbers unrounded; nothing but the head where no classes are known."""
    return _csv(CSV_COLUMNS, class_lines(found))


def markdown(source: Source, *, written: str, classes: ClassEffects | None = None) -> str:
    """The whole report as Markdown."""
    lines = [f"# {escaped(words.question(source))}", "", escaped(words.setting(source)), ""]
    for answer in (words.answer(source, trick) for trick in source.tricks):
        lines.append(f"- **{escaped(answer['name'])}**: {escaped(answer['verdict'])}. {escaped(answer['sentence'])}")
    for caution in tables.cautions(source):
        lines += ["", f"> {escaped(caution)}"]
    lines += ["", "## Verdicts", "", escaped(tables.verdict_caption(source)), "", verdict_table(source), ""]
    lines += [remark_list(source)]
    lines += ["", "## Arms", "", arm_table(source), "", escaped(tables.trivial_sentence(source)), ""]
    lines += class_text(classes) if classes is not None else []
    lines += ["## Values", "", value_table(source), "", "## Runs that did not finish", ""]
    failed = tables.unfinished_rows(source)
    keys = ("arm", "block", "state", "why")
    lines += [table(keys, [[row[key] for key in keys] for row in failed]) if failed else "None.", ""]
    data = circumstances.data_rows(source)
    if data:
        lines += ["## Data and leakage", "", *(escaped(note["text"]) for note in circumstances.data_notes(source)), ""]
        lines += [pairs(data), ""]
    findings = circumstances.finding_rows(source)
    lines += ["## Findings", ""]
    lines += [f"- {escaped(row['title'])} {escaped(row['text'])} {escaped(row['runs'])}" for row in findings] or [
        "None."
    ]
    lines += ["", "## Cost", "", pairs(tables.cost_rows(source)), "", "## Declared before running", ""]
    lines += [pairs(circumstances.declared_rows(source)), "", "## Run it again", ""]
    for title, command in circumstances.commands(source):
        lines += [f"{title}:", "", code(command), ""]
    lines += ["## Environment", "", pairs(circumstances.environment_rows(source)), ""]
    lines.append(f"Written by tricklab {__version__} on {written} from the run folders.")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """Named values as a list."""
    return "\n".join(f"- {escaped(key)}: {escaped(value)}" for key, value in rows)


def verdicts_csv(source: Source) -> str:
    """One line per trick, numbers unrounded."""
    rows = []
    for trick in source.tricks:
        low, high = ends(trick)
        steady = trick.get("steadiness") or {}
        rows.append(
            {
                **{key: trick.get(key) for key in VERDICT_COLUMNS},
                "trick": trick["name"],
                "low": low,
                "high": high,
                "sd_ratio": steady.get("ratio"),
                "steadiness": steady.get("verdict"),
                "steadiness_p": steady.get("p"),
            }
        )
    return _csv(VERDICT_COLUMNS, rows)


def runs_csv(source: Source) -> str:
    """One line per run: arm, block, state, the metric and every other value."""
    names = sorted({key for run in source.runs for key in run.result.get("values") or () if key != source.metric})
    columns = ("arm", "block", "state", source.metric, *names, "samples_seen", "wall_s")
    rows = []
    for run in source.runs:
        values = (run.result.get("values") or {}) if run.state == "finished" else {}
        known = {"arm": run.cell, "block": run.block, "state": run.state, "wall_s": run.cost.get("wall_s")}
        rows.append({**values, **known, source.metric: run.value, "samples_seen": run.result.get("samples_seen")})
    return _csv(columns, rows)


def _csv(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _inert(value) for key, value in row.items()})
    return buffer.getvalue()


def _inert(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "@", "\t", "\r") else value
