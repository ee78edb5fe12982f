"""Under which circumstances the numbers came about: data and leakage, findings, environment, declaration, commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tricklab.doctor import Finding, run_rules
from tricklab.lab.report import words
from tricklab.lab.report.numbers import percent
from tricklab.lab.report.source import Run, Source

SEVERITY_ORDER = ("error", "warning", "note")
ITEMS = {"hyperspectral": "pixels", "classification": "images", "segmentation": "images"}
LEAKAGE = {
    "centre_share": "windows that hold a training centre",
    "touch_share": "windows that touch a training window",
    "covered_share": "their area covered by training windows",
}


def data_rows(source: Source) -> list[tuple[str, str]]:
    """Sizes, split, statistics and leakage as the runs recorded them, over all blocks."""
    runs = _one_run_a_block(source)
    facts = [run.evidence.facts for run in runs]
    rows = []
    sizes = _first(facts, "data/sizes")
    if isinstance(sizes, Mapping):
        task = runs[0].evidence.recipe.get("task")
        rows.append(
            (ITEMS.get(str(task), "items"), ", ".join(f"{value:,} {name}" for name, value in sizes.items() if value))
        )
    split = _first(facts, "data/split")
    if isinstance(split, Mapping):
        shown = {
            key: value for key, value in split.items() if not isinstance(value, Mapping | list) and key != "digest"
        }
        rows.append(("split", ", ".join(f"{key} {value}" for key, value in shown.items())))
    fitted = _first(facts, "data/statistics_fitted_on")
    if isinstance(fitted, Mapping):
        rows.append(
            ("statistics fitted on", ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in fitted.items()))
        )
    duplicates = _first(facts, "data/duplicates")
    if isinstance(duplicates, Mapping) and duplicates.get("searched"):
        rows.append(("duplicates", _duplicates(duplicates)))
    rows += _leakage_rows(source)
    return rows


def _duplicates(found: Mapping[str, Any]) -> str:
    text = (
        f"{found['identical_images']:,} images in {found['identical_groups']} groups of identical ones, "
        f"{found['near_images']:,} in {found['near_groups']} groups of near ones"
    )
    return text + f"; {found['contradictions']} contradictions of labels, {found['dropped']} images dropped"


def data_notes(source: Source) -> list[dict[str, str]]:
    """One plain sentence on leakage, where it was measured."""
    notes = []
    for name, figures in leakage_of(source):
        shares = [float(one["centre_share"]) for one in figures if one.get("centre_share") is not None]
        if not shares:
            continue
        mean = sum(shares) / len(shares)
        what = f"{percent(mean)} of the {name} windows hold the centre of a training window"
        if mean > 0.01:
            text = (
                f"{what}: the {name} pixels are not independent of the training pixels, and the values are optimistic."
            )
            notes.append({"css": "", "text": text})
        else:
            notes.append({"css": "good", "text": f"{what}: training and {name} pixels lie apart."})
    return notes


def _one_run_a_block(source: Source) -> list[Run]:
    """The split belongs to the block, so one finished run of each block tells all."""
    found: dict[int, Run] = {}
    for run in source.runs:
        if run.state == "finished":
            found.setdefault(run.block, run)
    return [found[block] for block in sorted(found)]


def _first(facts: list[dict[str, Any]], name: str) -> Any:
    return next((fact[name] for fact in facts if name in fact), None)


def leakage_of(source: Source) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Leakage figures of every block by evaluated split."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for run in _one_run_a_block(source):
        one = run.evidence.facts.get("data/leakage")
        if not isinstance(one, Mapping):
            continue
        apart = one.get("splits") or {str(one.get("split") or "evaluation"): one}
        for name, figures in apart.items():
            found.setdefault(name, []).append(figures)
    return list(found.items())


def _leakage_rows(source: Source) -> list[tuple[str, str]]:
    rows = []
    for name, figures in leakage_of(source):
        parts = []
        for key, text in LEAKAGE.items():
            shares = [float(one[key]) for one in figures if one.get(key) is not None]
            if shares:
                low, high = min(shares), max(shares)
                share = percent(low) if high - low < 5e-4 else f"{percent(low)} to {percent(high)}"
                parts.append(f"{text}: {share}")
        window = next((one["window"] for one in figures if one.get("window")), None)
        if parts:
            title = f"leakage, {name}" + (f" windows {window}×{window}" if window else "")
            rows.append((title, "; ".join(parts)))
    return rows


def finding_rows(source: Source) -> list[dict[str, str]]:
    """What the doctor finds in the runs, the same finding of several runs told once, gravest first."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    examples: dict[tuple[str, str, str], Finding] = {}
    for run in source.runs:
        if not run.evidence.rows and not run.evidence.facts:
            continue
        for finding in run_rules(run.evidence):
            key = (finding.severity, finding.rule, run.cell)
            groups.setdefault(key, []).append(run)
            examples.setdefault(key, finding)
    merged: dict[tuple[str, str], list[tuple[str, list[Run], Finding]]] = {}
    for (severity, rule, cell), runs in groups.items():
        merged.setdefault((severity, rule), []).append((cell, runs, examples[severity, rule, cell]))
    rows = []
    for (severity, rule), found in sorted(
        merged.items(), key=lambda item: (SEVERITY_ORDER.index(item[0][0]), item[0][1])
    ):
        example = found[0][2]
        more = [*(f"Likely cause: {example.causes[0]}." for _ in example.causes[:1])]
        more += [f"To tell: {example.cheapest_test}."] if example.cheapest_test else []
        more += [f"To cure: {', '.join(example.fix)}."] if example.fix else []
        rows.append(
            {
                "css": severity,
                "title": f"{severity}, {rule}: {example.title}".rstrip(".") + ".",
                "text": " ".join(more),
                "runs": _places(source, [(cell, runs) for cell, runs, _ in found]),
            }
        )
    return rows


def _places(source: Source, found: list[tuple[str, list[Run]]]) -> str:
    """Where a finding was made, as short as it can be said."""
    size = {cell.name: len(cell.runs) for cell in source.cells}
    if sum(len(runs) for _, runs in found) == len(source.runs):
        return f"(all {len(source.runs)} runs)"
    texts = [
        cell if len(runs) == size[cell] else f"{cell}, block {', '.join(str(run.block) for run in runs)}"
        for cell, runs in found
    ]
    return f"({'; '.join(texts)})"


def environment_rows(source: Source) -> list[tuple[str, str]]:
    """Machine and versions of the runs; says so where runs differ."""
    known = [run.provenance for run in source.runs if run.state == "finished"]
    if not known:
        return [("environment", "no run has finished")]
    rows = []
    for key, title in (("platform", "system"), ("cpu", "processor"), ("cores", "cores"), ("threads", "threads a run"),
                       ("device", "accelerators"), ("source", "tricklab source")):  # fmt: skip
        values = list(dict.fromkeys(_shown(one[key]) for one in known if one.get(key) not in (None, [])))
        if key == "platform":
            # a kernel's own name says nothing about the numbers
            values = list(dict.fromkeys(value.split("-")[0] for value in values))
        if values:
            rows.append((title if len(values) == 1 else f"{title} (runs differ)", " | ".join(values)))
    git = list(dict.fromkeys(_git(one["git"]) for one in known if one.get("git")))
    if git:
        rows.append(("git", " | ".join(git)))
    versions = list(
        dict.fromkeys(", ".join(f"{k} {v}" for k, v in (one.get("versions") or {}).items()) for one in known)
    )
    rows += [("versions" if len(versions) == 1 else "versions (runs differ)", line) for line in versions if line]
    return rows


def _shown(value: Any) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _git(state: Mapping[str, Any]) -> str:
    return f"{state.get('commit')}{', with changes that are not committed' if state.get('dirty') else ''}"


def declared_rows(source: Source) -> list[tuple[str, str]]:
    """The plan in words."""
    plan = source.plan
    blocks = [str(look) for look in plan.get("looks") or ()]
    rows = [
        ("subject", source.subject),
        ("metric", f"{source.metric}, {'smaller' if source.minimise else 'larger'} is better"),
        ("smallest worthwhile effect δ", f"{source.delta:g}" if source.delta else "not declared"),
        ("design", str(plan.get("design"))),
        ("arms", ", ".join(str(arm["name"]) for arm in plan.get("arms") or ())),
        ("looks declared at", f"{', '.join(blocks)} blocks" if blocks else "none"),
        ("level of this look", f"{source.outcome['level']:g}" if source.outcome.get("level") else ""),
        ("running", f"{plan.get('workers')} at a time, {plan.get('threads')} threads each, on {plan.get('device')}"),
        ("plan hash", source.plan_hash),
    ]
    return [(key, value) for key, value in rows if value] + [("decided", str(note)) for note in plan.get("notes") or ()]


def look_rows(source: Source) -> list[dict[str, str]]:
    """The looks that were taken, in order."""
    return [
        {
            "when": datetime.fromtimestamp(float(look["time"])).astimezone().strftime("%Y-%m-%d %H:%M"),
            "blocks": str(look["blocks"]),
            "event": str(look.get("event") or ""),
            "verdicts": ", ".join(f"{name} {words.shown(word)}" for name, word in look.get("verdicts", {}).items()),
        }
        for look in source.looks
        if isinstance(look.get("time"), int | float)
    ]


def started(source: Source) -> list[str]:
    """The command lines that ran the experiment, in order; ``python -m tricklab.cli.main`` is the command itself."""
    return [re.sub(r"^(__)?main(__)?\.py ", "tricklab ", str(line)) for line in source.outcome.get("commands") or ()]


def commands(source: Source) -> list[tuple[str, str]]:
    """(what it does, command line) to run everything again."""
    run = source.a_finished_run()
    rows = [("The experiment, as it was started", line) for line in started(source)]
    if not rows and source.plan.get("kind") == "recipe":
        rows.append(("The experiment, from its declaration", _ablate_command(source)))
    folder = shlex.quote(str(source.folder))
    rows.append(
        ("Go on where it stopped, or write this report again", f"tricklab resume {folder}\ntricklab report {folder}")
    )
    if run is not None and source.plan.get("kind") == "recipe":
        rows.append(("One of its runs", f"tricklab train {shlex.quote(str(run.folder / 'recipe.yaml'))}"))
    return rows


def _ablate_command(source: Source) -> str:
    plan = source.plan
    arms = [_arm_word(arm) for arm in plan.get("arms") or ()]
    looks = plan.get("looks") or [source.block_count]
    options = ["--design", str(plan.get("design")), "--blocks", str(looks[0])]
    if len(looks) == 1:
        options.append("--final")
    root = ((plan["cells"][0].get("recipe") or {}).get("data") or {}).get("root")
    if root:
        options += ["--data", str(root)]
    return shlex.join(["tricklab", "ablate", source.subject, *arms, *options])


def _arm_word(arm: Mapping[str, Any]) -> str:
    changes = " ".join(
        f"without {change['text']}" if change["kind"] == "without" else str(change["text"]) for change in arm["changes"]
    )
    return changes if arm["name"] == changes or len(arm["changes"]) == 1 else f"{arm['name']}: {changes}"
