"""The almanac: what a document claimed beside what was measured, written from run folders alone."""

from __future__ import annotations

import os
import re
import shlex
import statistics
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tricklab import __version__
from tricklab.errors import UserError
from tricklab.lab.report import circumstances, drawings, tables, text, words
from tricklab.lab.report.claims import Claim, Document, Scores, answer_to, arms_that_test, read_claims
from tricklab.lab.report.map_figures import class_map_figure
from tricklab.lab.report.numbers import NOTHING, interval, percent, plain, probability, signed
from tricklab.lab.report.page import template
from tricklab.lab.report.source import Source, ends
from tricklab.lab.report.svg import Node, standalone
from tricklab.lab.report.writing import source_of
from tricklab.records import write_atomic

ROOT = "DIR"


def write_almanac(
    experiments: Sequence[str | os.PathLike[str]], claims: str | os.PathLike[str], out: str | os.PathLike[str]
) -> list[Path]:
    """Write the page and, in a folder of its name beside it, its figures; returns all files, the page first.

    Args:
        experiments: experiment folders, in the order in which they are to be shown.
        claims: the claims file (YAML), see ``Document``.
        out: the Markdown file.

    Raises:
        UserError: a folder is no experiment, the claims are not as they should be, or two experiments have one name.
    """
    if not experiments:
        raise UserError("no experiment to write about", where=os.fspath(out))
    document = read_claims(claims)
    sources = [source_of(experiment) for experiment in experiments]
    names = [source.name for source in sources]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise UserError(f"two experiments are called {double!r}", where=os.fspath(out), fix="name each once")
    page = Path(out)
    figures = page.with_suffix("")
    files: list[Path] = []
    sections = [_experiment(source, figures, page.parent, files) for source in sources]
    lines = [
        f"# {text.escaped(document.title)}",
        text.escaped(document.about),
        *([text.escaped(document.protocol)] if document.protocol else []),
        "Every number below is computed from the run folders by the command at the end of this page; nothing is "
        "written by hand but what the document says.",
        *_claims(document, sources),
        *_scores(document.scores),
        "## What was run",
        _overview(sources),
        *(part for section in sections for part in section),
        *_how(sources, experiments, claims, page),
    ]
    write_atomic(page, "\n\n".join(line for line in lines if line) + "\n")
    return [page, *files]


_TESTED_BY = ("tested by", "experiment", "without", "difference", "verdict", "sd ratio", "steadiness", "the claim")


def _claims(document: Document, sources: Sequence[Source]) -> list[str]:
    lines = ["## What the document says, and what was measured"]
    for claim in document.claims:
        lines.append(f"### {text.escaped(claim.name)}")
        quote = f" ({text.escaped(claim.quote)})" if claim.quote else ""
        lines.append(f"> {text.escaped(claim.says)}{quote}")
        rows = [
            _tested(claim, tested.label, source, trick)
            for tested in claim.tested_by
            for source in sources
            for trick in arms_that_test(source, tested)
        ]
        if rows:
            lines += [text.table(_TESTED_BY, rows), _tally([row[-1] for row in rows])]
        else:
            lines.append("None of the experiments tests this.")
        if claim.remark:
            lines.append(text.escaped(claim.remark))
    return lines


def _tested(claim: Claim, label: str, source: Source, trick: dict[str, Any]) -> list[str]:
    digits = words.digits_of(source)
    low, high = ends(trick)
    steady = trick.get("steadiness") or {}
    ratio = steady.get("ratio")
    effect = f"{signed(trick.get('effect'), digits)} {interval(low, high, digits)}"
    return [
        label,
        f"{source.name} ({_split(source)})" if _split(source) else source.name,
        _baseline(source),
        effect if trick.get("effect") is not None else NOTHING,
        words.shown(str(trick["verdict"])),
        NOTHING if ratio is None else plain(ratio, 2),
        str(steady.get("verdict") or NOTHING),
        answer_to(claim, trick),
    ]


def _tally(answers: list[str]) -> str:
    counts = {answer: answers.count(answer) for answer in dict.fromkeys(answers)}
    told = ", ".join(f"{answer} in {count}" for answer, count in counts.items())
    return f"Of {len(answers)} comparison{'s' * (len(answers) > 1)}: {told}."


def _baseline(source: Source) -> str:
    values = [run.value for run in source.baseline.runs.values() if run.value is not None] if source.baseline else []
    if not values:
        return NOTHING
    sd = statistics.stdev(values) if len(values) > 1 else None
    digits = tables.value_digits(source)
    return f"{plain(statistics.fmean(values), digits)} ± {plain(sd, digits)}"


def _scores(given: Sequence[Scores]) -> list[str]:
    from tricklab.statistics import judge_lists

    lines = ["## The scores that the document prints"] if given else []
    for scores in given:
        judgement = judge_lists(list(scores.without_scores), list(scores.with_scores), delta=scores.delta)
        (trick,) = judgement.tricks
        rows = [
            [name, ", ".join(f"{value:g}" for value in values), str(len(values)), plain(statistics.fmean(values), 4),
             plain(statistics.stdev(values), 4) if len(values) > 1 else NOTHING, plain(max(values) - min(values), 4)]
            for name, values in ((scores.without, scores.without_scores), (scores.with_, scores.with_scores))
        ]  # fmt: skip
        lines.append(text.table([f"{scores.metric}", "scores", "runs", "mean", "sd", "range"], rows))
        steady = trick.steadiness
        low, high = trick.interval or (None, None)
        said = (
            f"Judged as two unpaired lists: mean {words.shown(trick.verdict)} "
            f"({signed(trick.effect, 4)} {interval(low, high, 4)}, Welch p {probability(trick.p)})"
        )
        if steady is not None:
            tested = f"{steady.test} p {probability(steady.p)}"
            said += f"; spread {steady.verdict} (sd × {plain(steady.ratio, 2)}, {tested})"
        lines.append(text.escaped(f"{said}."))
        lines += [text.escaped(note) for note in (*trick.flags, *judgement.notes)]
    return lines


def _overview(sources: Sequence[Source]) -> str:
    rows = [
        [
            source.name,
            _setting(source),
            str(source.outcome.get("design")),
            str(len(source.cells)),
            str(source.block_count),
            words.tier(source.block_count),
            str(sum(run.state != "finished" for run in source.runs)),
            _leak(source),
        ]
        for source in sources
    ]
    header = ["experiment", "setting", "design", "arms", "blocks", "evidence", "runs not finished", "leakage"]
    return text.table(header, rows)


def _setting(source: Source) -> str:
    """Recipe, split and length of the reference cell, in a few words."""
    recipe = source.plan["cells"][0].get("recipe") or {}
    data, train = recipe.get("data") or {}, recipe.get("train") or {}
    parts = [source.title, *([_split(source)] if data.get("split") else [])]
    if data.get("window"):
        parts.append(f"window {data['window']}")
    length = next((f"{train[unit]} {unit}" for unit in ("epochs", "iterations", "samples") if train.get(unit)), None)
    return ", ".join([*parts, *([length] if length else [])])


def _split(source: Source) -> str:
    """How the pixels were split, with the share that trains."""
    split = ((source.plan["cells"][0].get("recipe") or {}).get("data") or {}).get("split") or {}
    share = split.get("train")
    return " ".join([str(split.get("type", "")), *([percent(share, 0)] if isinstance(share, float) else [])]).strip()


def _leak(source: Source) -> str:
    phase = source.metric.partition("/")[0]
    for name, figures in circumstances.leakage_of(source):
        shares = [float(one["centre_share"]) for one in figures if one.get("centre_share") is not None]
        if name == phase and shares:
            return f"{percent(statistics.fmean(shares))} of {name} windows hold a training centre"
    return NOTHING


def _experiment(source: Source, figures: Path, base: Path, files: list[Path]) -> list[str]:
    lines = [f"### {text.escaped(source.name)}"]
    lines += [text.escaped(words.question(source)), text.escaped(words.setting(source))]
    lines += [f"> {text.escaped(caution)}" for caution in tables.cautions(source)]
    lines += [text.verdict_table(source), text.escaped(tables.verdict_caption(source))]
    lines += [text.remark_list(source), text.arm_table(source), text.escaped(tables.trivial_sentence(source))]
    drawn: list[tuple[str, Node]] = []
    for kind, node in (("effects", drawings.forest_of(source)), ("interaction", drawings.arrows_of(source))):
        if node is not None:
            drawn.append((kind, node))
    drawn += [(figure.key, figure.drawings[0]) for figure in drawings.curve_figures(source) if figure.key != "loss"]
    stem = re.sub(r"[^\w.-]+", "-", source.name)
    for kind, node in drawn:
        place = figures / f"{stem}-{kind}.svg"
        write_atomic(place, standalone(node, template("figure.css")))
        files.append(place)
        lines.append(_picture(f"{source.name}: {kind}", place, base))
    class_map = _class_map(source, figures / f"{stem}-map.png")
    if class_map is not None:
        files.append(class_map)
        lines.append(_picture(f"{source.name}: labels, predictions, errors", class_map, base))
    data = circumstances.data_rows(source)
    lines += [text.pairs(data)] if data else []
    failed = tables.unfinished_rows(source)
    if failed:
        keys = ("arm", "block", "state", "why")
        lines += ["Runs that did not finish:", text.table(keys, [[row[key] for key in keys] for row in failed])]
    return [*lines, text.pairs(tables.cost_rows(source))]


def _picture(name: str, file: Path, base: Path) -> str:
    return f"![{text.escaped(name)}]({file.relative_to(base).as_posix()})"


def _class_map(source: Source, place: Path) -> Path | None:
    """The map of the first finished run of the reference cell, where its data are at hand."""
    from tricklab.lab.report.figures import scene_of
    from tricklab.lab.report.scene_maps import scene_maps
    from tricklab.records import RunFolder

    run = source.a_finished_run()
    if run is None or source.plan.get("kind") != "recipe":
        return None
    scores = RunFolder.open(run.folder).scores()
    if not scores:
        return None
    try:
        maps = scene_maps(scene_of(run.folder), scores, source.metric.partition("/")[0])
    except UserError:
        return None
    place.parent.mkdir(parents=True, exist_ok=True)
    classes = [str(name) for name in run.result.get("classes") or ()]
    return class_map_figure(maps.labels, maps.prediction, classes, place)


def _how(
    sources: Sequence[Source],
    experiments: Sequence[str | os.PathLike[str]],
    claims: str | os.PathLike[str],
    page: Path,
) -> list[str]:
    lines = ["## How this page was made", "The experiments:"]
    commands = [portable(line) for source in sources for line in circumstances.started(source)]
    lines.append(text.code("\n".join(dict.fromkeys(commands)) or "no command was recorded"))
    names = [_short(experiment) for experiment in experiments]
    call = shlex.join(["tricklab", "almanac", *names, "--claims", _short(claims), "--out", _short(page)])
    lines += [f"This page ({ROOT} stands for the folder of the data):", text.code(call), "Where they ran:"]
    environment = list(dict.fromkeys(row for source in sources for row in circumstances.environment_rows(source)))
    written = datetime.now().astimezone().strftime("%Y-%m-%d")
    return [*lines, text.pairs(environment), f"Written by tricklab {__version__} on {written}."]


def portable(command: str) -> str:
    """A command without the paths of the machine that it ran on."""
    command = re.sub(r"(--data[= ]|data\.root=)('[^']*'|\S+)", rf"\g<1>{ROOT}", command)
    return re.sub(r"(?<![\w.])/\S*?/([\w.-]+)(?=[\s'\"]|$)", r"\1", command)


def _short(path: str | os.PathLike[str]) -> str:
    """A path as it is written from the folder where the command runs, by its name alone if it lies elsewhere."""
    place = Path(os.path.relpath(path))
    return place.as_posix() if ".." not in place.parts else place.name
