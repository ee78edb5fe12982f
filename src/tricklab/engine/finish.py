"""The evaluation that a run is judged by: saved weights, loaded into a fresh model, scored; then ``result.json``."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from tricklab.engine.averagings import State, carrying
from tricklab.engine.evaluation import Scored, evaluating, repeat_difference, score
from tricklab.engine.fit import DONE
from tricklab.engine.journal import NonFinite, Sink, peak_memory_mb
from tricklab.engine.observations import drained, observed
from tricklab.engine.prepared import Prepared
from tricklab.engine.sources import recorded_sources
from tricklab.inference.ensemble import member_weights, shaped_for
from tricklab.metrics import oscillation, samples_to_loss
from tricklab.models.initial_weights import skipping_initial_weights
from tricklab.models.strict_load import strict_load as strict_load
from tricklab.observe import listening
from tricklab.records import RunFolder, load_tree
from tricklab.records.environment import versions
from tricklab.seeds import hash_integer

MOMENTS = ("first_steps", "fit", "evaluate")


@dataclass(frozen=True)
class Origin:
    """The run whose training is evaluated: this one, or a sibling."""

    run: RunFolder
    rows: list[dict[str, Any]]
    facts: dict[str, Any]

    @property
    def done(self) -> dict[str, Any]:
        """How the training went: ``steps``, ``samples_seen``, ``train_s``, ``peak_memory_mb``."""
        return self.facts[DONE]


def load_weights(prepared: Prepared, path: Any) -> tuple[nn.Module, dict[str, Any]]:
    """A fresh model with the weights of a file, on the run's device, and which keys were loaded.

    An ensemble's file gives an :class:`Ensemble` of fresh models.

    Raises:
        UserError: a key of the model is missing in the file, or the file holds others.
    """
    with skipping_initial_weights():
        weights = load_tree(path)
        model = shaped_for(prepared.task.build_model(), weights)
    found = strict_load(model, weights, str(path))
    return model.float().to(prepared.device), found


def finish(prepared: Prepared, origin: Origin, started: float, sinks: Sequence[Sink] = ()) -> dict[str, Any]:
    """Evaluate, write scores, row and result; runs the last probes and rules.

    Args:
        origin: whose training it is.
        started: ``time.perf_counter()`` when this execution began.
        sinks: called with the row.

    Raises:
        NotLive: a trick did nothing.
        UserError: weights do not fit, or dense inference is not exact.
    """
    begin = time.perf_counter()
    scored, seen = evaluate_weights(prepared, origin.run)
    # the probes of this run's own training have run
    moments = ("evaluate",) if origin.run is prepared.run else MOMENTS
    return conclude(prepared, origin, scored, seen, begin, started, sinks, moments)


def evaluate_weights(prepared: Prepared, trained: RunFolder) -> tuple[Scored, dict[str, float]]:
    """Score the weights that a run left, and what was observed meanwhile; several processes share the items.

    Raises:
        UserError: weights do not fit, or dense inference is not exact.
    """
    chosen, judge = prepared.settings, prepared.judge
    model, keys = load_weights(prepared, trained.checkpoint("weights"))
    judge.fact("evaluate/loaded_keys", keys)
    averaged = None
    if prepared.averaging_key is not None:
        averaged = load_tree(trained.checkpoint(f"average-{prepared.averaging_key}"))
        with skipping_initial_weights():
            strict_load(shaped_for(prepared.task.build_model(), averaged), averaged, "averaged weights")
    judge.fact("evaluate/repeat_difference", repeat_difference(prepared.task, model, prepared.split))
    with listening() as listener:
        scored = score(prepared.task, model, prepared.split, prepared.postprocess, chosen.evaluate.method, averaged)
    members = _members(prepared, trained, model, averaged)
    if members:
        judge.fact("evaluate/members", members)
    judge.fact("evaluate/training_modules", list(scored.training_modules))
    for name, value in scored.chosen(chosen.evaluate.weights).facts.items():
        judge.fact(name, value)
    return scored, observed(drained(listener))


def _members(
    prepared: Prepared, trained: RunFolder, model: nn.Module, averaged: State | None
) -> list[dict[str, float]]:
    """Values of each member of an ensemble or a soup, as ``<split>/<name>``; empty where there are none."""
    kept = trained.checkpoint(f"members-{prepared.averaging_key}")
    tree = load_tree(kept) if kept.exists() else averaged or {}
    found = []
    with evaluating(model):
        for weights in member_weights(tree):
            with carrying(model, weights):
                one = prepared.task.evaluate(
                    model, prepared.split, prepared.postprocess, prepared.settings.evaluate.method
                )
            found.append({f"{prepared.split}/{name}": value for name, value in one.values.items()})
    return found


def conclude(
    prepared: Prepared,
    origin: Origin,
    scored: Scored,
    seen: dict[str, float],
    begin: float,
    started: float,
    sinks: Sequence[Sink] = (),
    moments: Sequence[str] = MOMENTS,
) -> dict[str, Any]:
    """Write the row, the scores and the result of a scored run; run the last rules and the probes of ``moments``.

    Raises:
        NonFinite: the declared metric is no number.
        NotLive: a trick did nothing.
    """
    run, chosen, judge, task, split = prepared.run, prepared.settings, prepared.judge, prepared.task, prepared.split
    if split == "test":
        judge.event("test_touched", step=origin.done["steps"], by="evaluation")
    counted = scored.chosen(chosen.evaluate.weights)
    outcome = counted.values[chosen.metric.monitor.split("/", 1)[1]]
    if counted.unanswered:
        steps, epoch = origin.done["steps"], int(origin.done["epochs"])
        raise NonFinite(counted.told_unanswered(), float("nan"), steps, 0, epoch)
    if not math.isfinite(outcome):
        raise NonFinite(chosen.metric.monitor, outcome, origin.done["steps"], 0, int(origin.done["epochs"]))
    trivial = {f"{split}/{name}": value for name, value in task.trivial(split).items()}
    row = {
        "phase": split,
        "step": origin.done["steps"],
        "epoch": origin.done["epochs"],
        "samples_seen": origin.done["samples_seen"],
        "wall_s": round(origin.done["train_s"] + time.perf_counter() - begin, 4),
        **scored.row(),
        **{f"{split}/trivial_{name.split('/')[1]}": value for name, value in trivial.items()},
        **seen,
    }
    # a run that was stopped between this row and the result has the row already
    if not any(known["phase"] == split and known["step"] == row["step"] for known in run.metrics()):
        row = run.append_metrics(row)
        for sink in sinks:
            sink(row)
    confidence = None if counted.probabilities is None else counted.probabilities.max(axis=1).astype(np.float32)
    single = {"target": counted.targets, "prediction": counted.predictions, "confidence": confidence}
    known = {name: array for name, array in single.items() if array is not None}
    run.save_scores(index=counted.index, **known, **counted.arrays)
    result = _result(prepared, origin, scored, trivial, begin, started)
    rows = [*origin.rows, row]
    evidence = judge.evidence(rows, result)
    judge.diagnose("evaluation", evidence)
    for when in moments:
        judge.probe(when, evidence)
    run.write_result(result)
    return result


def _result(
    prepared: Prepared, origin: Origin, scored: Scored, trivial: dict[str, float], begin: float, started: float
) -> dict[str, Any]:
    chosen, task, split = prepared.settings, prepared.task, prepared.split
    counted, facts, done = scored.chosen(chosen.evaluate.weights), origin.facts, origin.done
    now = time.perf_counter()
    train = [row for row in origin.rows if row["phase"] == "train"]
    losses, samples = [row["loss"] for row in train], [row["samples_seen"] for row in train]
    name = chosen.metric.monitor

    def named(values: dict[str, float]) -> dict[str, float]:
        return {f"{split}/{key}": value for key, value in values.items()}

    return {
        "metric": {
            "name": name,
            "value": counted.values[name.split("/", 1)[1]],
            "mode": chosen.metric.mode,
            "delta": chosen.metric.delta,
        },
        "values": named(counted.values),
        "raw": named(scored.raw.values),
        "averaged": None if scored.averaged is None else named(scored.averaged.values),
        "members": prepared.judge.facts().get("evaluate/members"),
        "trivial": trivial,
        "scoring": counted.scoring,
        "confusion": counted.confusion.tolist(),
        "classes": list(task.classes),
        "label_ids": list(task.label_ids),
        "order_hash": combined(facts.get("order_hash", {})),
        "split_hash": facts.get("data/split", {}).get("digest"),
        "steps": done["steps"],
        "samples_seen": done["samples_seen"],
        "loss_terms": sorted(key[5:] for key in (train[-1] if train else {}) if _is_term(key)),
        "cost": {
            "wall_s": round(now - started if origin.run is not prepared.run else done["train_s"] + now - begin, 3),
            "train_s": done["train_s"],
            "evaluate_s": round(now - begin, 3),
            "device": prepared.device.type,
            "threads": torch.get_num_threads(),
            "peak_memory_mb": max(done["peak_memory_mb"], peak_memory_mb(prepared.device)),
        },
        "steadiness": {
            "oscillation": oscillation(losses) if losses else None,
            "samples_to_loss": samples_to_loss(samples, losses),
        },
        "fit_identity": fit_identity(prepared),
        "fit_from": prepared.run.declared.get("fit_from"),
        "data_digest": combined(task.digest()),
        "metric_code": task.metric_code(),
        "versions": versions(),
    }


def fit_identity(prepared: Prepared) -> str:
    """Hash of what decides the trained weights: fit half, seed, block, data, teachers, threads, kind of device."""
    parts = (
        prepared.recipe.digest("fit"),
        prepared.seeds.seed,
        prepared.seeds.block,
        combined(prepared.task.digest()),
        torch.get_num_threads(),
        prepared.device.type,
        *([combined(taught)] if (taught := recorded_sources(prepared.run)) else []),
    )
    return f"{hash_integer(*parts):016x}"


def combined(hashes: Mapping[Any, str]) -> str | None:
    """One hash for several named ones, None for none."""
    if not hashes:
        return None
    return f"{hash_integer(*(f'{key}={hashes[key]}' for key in sorted(hashes, key=str))):016x}"


def _is_term(key: str) -> bool:
    return key.startswith("loss/") and not key.endswith("_mean")
