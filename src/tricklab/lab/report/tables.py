"""The tables of an experiment: verdicts, arms, values, runs that did not finish, cost."""

from __future__ import annotations

import statistics
from typing import Any

from tricklab.lab.report import words
from tricklab.lab.report.drawings import level_of
from tricklab.lab.report.numbers import (
    NOTHING,
    decimals_for,
    duration,
    interval,
    plain,
    probability,
    several,
    signed,
)
from tricklab.lab.report.source import Run, Source, ends


def verdict_rows(source: Source) -> list[dict[str, Any]]:
    """Per trick: the row of the mean, of steadiness and of wins, as text."""
    digits = words.digits_of(source)
    rows = []
    for trick in source.tricks:
        low, high = ends(trick)
        rows.append(
            {
                **words.answer(source, trick),
                "effect": signed(trick.get("effect"), digits),
                "interval": interval(low, high, digits),
                "p": probability(trick.get("p")),
                "p_holm": probability(trick.get("p_holm")),
                "other_data": interval(*ends(trick, "other_data_interval"), digits),
                "sign_flip": probability(trick.get("sign_flip_p")),
                "interaction": signed(trick.get("interaction"), digits),
                "steadiness": words.steadiness(trick),
                "wins": words.wins(trick, source.block_count),
            }
        )
    return rows


def verdict_caption(source: Source) -> str:
    """What the numbers of the verdict table are."""
    count = len(source.tricks)
    text = (
        f"Mean paired difference in {source.metric} over {several(source.block_count, 'block')} (positive is better), "
        f"{100 * level_of(source):.4g} % interval; p corrected by Holm over {count} trick{'s' if count != 1 else ''}."
    )
    rho = source.outcome.get("rho")
    if rho is not None:
        text += f" Pairing correlation ρ = {plain(rho, 2)}."
    return text


def cautions(source: Source) -> list[str]:
    """What every reader of the verdicts must know first."""
    found = []
    if source.block_count < 5:
        found.append(
            f"{source.block_count} block{'s' if source.block_count != 1 else ''}: {words.tier(source.block_count)}. "
            "Five or more blocks are needed for evidence."
        )
    phase = source.metric.partition("/")[0]
    if phase == "test":
        found.append(
            "This protocol has no validation set: verdicts are on test pixels, and nothing was chosen on them."
        )
    if source.tricks and not source.delta:
        found.append("No smallest worthwhile effect δ was declared, so `equivalent` and `worth it` are never said.")
    if source.outcome.get("complete") is False:
        blocks = max((int(look["blocks"]) for look in source.looks), default=0)
        declared = len(source.plan.get("cells") or ()) * blocks
        left = declared - sum(run.state not in ("planned", "running", "interrupted") for run in source.runs)
        come = f": {left} of {declared} runs are still to come" if left > 0 else ""
        found.append(f"The experiment is not complete{come}.")
    if source.outcome.get("early"):
        found += [str(note) for note in (source.outcome.get("notes") or ())[:1]]
    return found


def arm_meanings(source: Source) -> list[tuple[str, str]]:
    """(name, changes) of the arms whose name does not say what they change."""
    found = []
    for arm in source.plan.get("arms") or ():
        changes = " ".join(str(change["text"]) for change in arm.get("changes") or () if change["kind"] != "level")
        if changes and changes not in str(arm["name"]):
            found.append((str(arm["name"]), changes))
    return found


def value_digits(source: Source) -> int:
    """Decimals of single values: enough to show differences between them."""
    values = [run.value for run in source.runs if run.value is not None]
    spread = statistics.pstdev(values) if len(values) > 1 else 0.0
    return max(3, words.digits_of(source), min(6, decimals_for([spread or source.delta or 0.01], 2)))


def arm_rows(source: Source) -> list[dict[str, str]]:
    """Per cell: runs, failures, mean, spread and cost, as text."""
    digits = value_digits(source)
    rows = []
    summaries = {str(arm.get("name")): arm for arm in source.outcome.get("arms") or ()}
    for cell in source.cells:
        values = [run.value for run in cell.runs.values() if run.value is not None]
        found = summaries.get(cell.name, {})
        rows.append(
            {
                "name": cell.name,
                "n": str(found.get("n", len(values))),
                "failed": str(found.get("failed", sum(run.state == "failed" for run in cell.runs.values()))),
                "mean": plain(found.get("mean"), digits),
                "sd": plain(found.get("sd"), digits),
                "lowest": plain(min(values), digits) if values else NOTHING,
                "highest": plain(max(values), digits) if values else NOTHING,
                "cost": _mean_cost(list(cell.finished())),
            }
        )
    return rows


def _mean_cost(runs: list[Run]) -> str:
    found = [float(run.cost["wall_s"]) for run in runs if run.cost.get("wall_s") is not None]
    return duration(sum(found) / len(found)) if found else NOTHING


def trivial_sentence(source: Source) -> str:
    """The trivial predictor beside the metric, or nothing where it is not known."""
    run = source.a_finished_run()
    found = ((run.result if run else {}).get("trivial") or {}).get(source.metric)
    if not isinstance(found, int | float):
        return ""
    return f"A predictor that always says the commonest class reaches {source.metric} = {plain(float(found), 4)}."


def value_rows(source: Source) -> list[dict[str, Any]]:
    """Per cell the value of each block, as text; a failed run says so."""
    digits = value_digits(source)
    rows = []
    for cell in source.cells:
        cells = []
        for block in source.blocks:
            run = cell.runs.get(block)
            cells.append(NOTHING if run is None else plain(run.value, digits) if run.value is not None else run.state)
        rows.append({"name": cell.name, "cells": cells})
    return rows


def unfinished_rows(source: Source) -> list[dict[str, str]]:
    """Every run that did not finish, with the reason that its folder gives."""
    return [
        {"arm": run.cell, "block": str(run.block), "state": words.shown(run.state), "why": _reason(run)}
        for run in source.runs
        if run.state != "finished"
    ]


def _reason(run: Run) -> str:
    told = [str(run.status[key]) for key in ("reason", "message") if run.status.get(key)]
    if told:
        return ": ".join(told)
    for event in reversed(run.evidence.events):
        if event.get("kind") == "failure":
            told = [str(event[key]) for key in ("reason", "message") if event.get(key)]
            return ": ".join(told) or str(event.get("traceback") or "").strip().rpartition("\n")[2] or NOTHING
    return NOTHING


def cost_rows(source: Source) -> list[tuple[str, str]]:
    """What the experiment took, and what one more block would take."""
    finished = [run for run in source.runs if run.state == "finished"]
    keys = (("wall_s", "all runs together"), ("train_s", "training"), ("evaluate_s", "evaluation"))
    rows = []
    for key, title in keys:
        found = [float(run.cost[key]) for run in finished if run.cost.get(key) is not None]
        if found:
            rows.append((title, f"{duration(sum(found))} in {len(found)} runs"))
    if source.seconds_per_block:
        rows.append(("one more block", f"{duration(source.seconds_per_block)} for {len(source.cells)} arms"))
    memory = [float(run.cost["peak_memory_mb"]) for run in finished if run.cost.get("peak_memory_mb") is not None]
    if memory:
        rows.append(("peak memory of a run", f"{max(memory):,.0f} MB"))
    shared = sum(cell.fit_from is not None for cell in source.cells)
    if shared:
        rows.append(("trainings shared", f"{shared} arms act at evaluation only and cost no training of their own"))
    return rows or [("cost", "no finished run has told its cost")]
