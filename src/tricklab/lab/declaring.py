"""From what a user asked for to a plan: recipes, Python functions and command lines alike."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tricklab.errors import UserError
from tricklab.lab.arms import Arm, parse_command_arms, parse_function_arms, parse_recipe_arms, split
from tricklab.lab.designs import cells_of, default_design, folder_names
from tricklab.lab.disk import told_if_full
from tricklab.lab.jobs import command as command_job
from tricklab.lab.jobs import function as function_job
from tricklab.lab.machine import cores, device_kind, processes_of, visible_devices
from tricklab.lab.plan import CellPlan, Plan, differences
from tricklab.lab.recipe_cells import Subject, changed_paths, recipe_cells
from tricklab.records import Experiment, plan_hash

DIRECTIONS = ("max", "min")


@dataclass(frozen=True)
class Command:
    """A command line that trains and prints its score; ``{args}`` is where an arm's words go, ``{seed}`` the seed.

    Args:
        text: the command, cut into words as a shell would, but run without one.
        metric_regex: pattern whose last match holds the number; else the last JSON line that it prints is read.
    """

    text: str
    metric_regex: str | None = None


@dataclass(frozen=True)
class Wish:
    """What a user asked for; None where the default is wanted.

    Attributes:
        blocks: blocks of the first look; the second look is at twice as many, unless ``final``.
        settings: ``key=value`` laid on the recipe for every arm.
        seed: another one than the recipe's (or 0) draws other blocks.
    """

    design: str | None = None
    blocks: int | None = None
    final: bool = False
    metric: str | None = None
    direction: str | None = None
    delta: float | None = None
    data: str | None = None
    settings: tuple[str, ...] = ()
    seed: int | None = None
    workers: int | None = None
    threads: int | None = None
    per_device: int | None = None
    name: str | None = None
    out: str = "runs"

    def __post_init__(self) -> None:
        for key in ("blocks", "workers", "threads", "per_device"):
            value = getattr(self, key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise UserError(f"{value!r} is not a positive number", where=f"--{key.replace('_', '-')}")
        if self.direction not in (None, *DIRECTIONS):
            raise UserError(f"unknown direction {self.direction!r}", fix="max or min")
        if self.delta is not None and not 0 < self.delta < math.inf:
            raise UserError(f"{self.delta!r} is not a positive number in the metric's unit", where="--delta")

    @property
    def looks(self) -> tuple[int, ...]:
        first = self.blocks or 5
        return (first,) if self.final else (first, 2 * first)


def declare(subject: Any, factors: Sequence[str] | Mapping[str, Any], wish: Wish) -> Plan:
    """The plan of an experiment.

    Args:
        subject: a recipe (file, shipped name or mapping), a ``Command``, or a callable ``fn(seed=…, **levels)``.
        factors: arms as texts, or keywords with their level or levels.

    Raises:
        UserError: anything about the arms, the design, the recipe or the function that cannot be run.
    """
    if isinstance(subject, Command):
        plan = _of_command(subject, _texts(factors), wish)
    elif isinstance(subject, str | os.PathLike | dict):
        plan = _of_recipe(subject, _texts(factors), wish)
    elif callable(subject):
        plan = _of_function(subject, factors, wish)
    else:
        raise UserError(f"{subject!r} cannot be ablated", fix="give a recipe, a callable or a Command")
    identity = plan.to_dict()
    for key in ("experiment", "workers", "looks", "notes"):
        identity.pop(key)
    for cell in identity["cells"]:
        (cell["recipe"].get("data") or {}).pop("root", None)
    return dataclasses.replace(plan, experiment=wish.name or f"{plan.experiment}-{plan_hash(identity)[:6]}")


def opened(plan: Plan, wish: Wish) -> tuple[Experiment, Plan, int]:
    """The experiment under the plan's name, made if it is new; its plan; and the number of blocks to run now.

    Asking for the blocks of a declared later look goes on under the same plan.

    Raises:
        UserError: another plan was declared under this name; says what differs.
    """
    path = Path(wish.out) / plan.experiment
    if not (path / "plan.json").is_file():
        with told_if_full(path):
            return Experiment.create(path, plan.to_dict()), plan, plan.looks[0]
    experiment = Experiment.open(path)
    known = Plan.from_dict(experiment.plan)
    reached = max((look["blocks"] for look in experiment.looks()), default=known.looks[0])
    asked = plan
    if (wish.blocks is None or wish.blocks in known.looks) and not wish.final:
        asked = dataclasses.replace(asked, looks=known.looks)
    if wish.workers is None:
        asked = dataclasses.replace(asked, workers=known.workers)
    lines = differences(known.to_dict(), asked.to_dict())
    if lines:
        shown = "; ".join(lines[:8]) + (f"; and {len(lines) - 8} more" if len(lines) > 8 else "")
        raise UserError(
            f"another plan is declared under this name: {shown}",
            where=str(path / "plan.json"),
            fix="a plan cannot change once it is declared: choose another --name",
        )
    moved = {cell.folder: (cell.recipe.get("data") or {}).get("root") for cell in plan.cells}
    cells = tuple(_with_root(cell, moved.get(cell.folder)) for cell in known.cells)
    return experiment, dataclasses.replace(known, cells=cells), max(reached, wish.blocks or reached)


def _with_root(cell: CellPlan, root: str | None) -> CellPlan:
    if root is None or not isinstance(cell.recipe.get("data"), dict):
        return cell
    return dataclasses.replace(cell, recipe={**cell.recipe, "data": {**cell.recipe["data"], "root": root}})


def _of_recipe(source: str | os.PathLike[str] | dict[str, Any], texts: Sequence[str], wish: Wish) -> Plan:
    if wish.metric is not None or wish.direction is not None:
        raise UserError(
            "a recipe says its own metric", where="--metric", fix="set metric.monitor and metric.mode for every arm"
        )
    place = source if isinstance(source, str | dict) else Path(source)
    seed = () if wish.seed is None else (f"seed={wish.seed}",)
    subject = Subject(place, (*wish.settings, *seed), wish.data, wish.delta)
    design, arms, cells, notes = recipe_cells(subject, parse_recipe_arms(texts), wish.design)
    base = cells[0].recipe
    threads = wish.threads or base["train"]["threads"] or 1
    device = device_kind(base["train"]["device"])
    name = Path(str(source)).stem if isinstance(source, str | os.PathLike) else "recipe"
    return _plan(
        wish, name, "recipe", str(source) if not isinstance(source, dict) else "a recipe in Python", base["metric"],
        (design, arms, cells), threads, device, notes,
    )  # fmt: skip


def _of_function(function: Callable[..., Any], factors: Any, wish: Wish) -> Plan:
    if not isinstance(factors, Mapping):
        raise UserError(
            "the arms of a function are its keywords", where="factors", fix='give a mapping such as {"lr": [0.1, 0.2]}'
        )
    defaults = function_job.check(function, factors)
    notes, arms = [], []
    for arm in parse_function_arms(factors):
        change = arm.changes[0]
        if change.text.partition("=")[0] in defaults and _same(defaults[arm.factor], change.value):
            notes.append(f"{arm.name} is the function's own default: it is the baseline")
        else:
            arms.append(arm)
    if not arms:
        raise UserError("every level is the function's own default", where="factors", fix="add another level")
    address = function_job.address(function)
    if address is None:
        # the digest tells two functions of one name apart, such as two lambdas
        name_there = getattr(function, "__qualname__", "function")
        address = f"memory:{name_there}-{function_job.code_digest(function) or 'unknown'}"
        function_job.IN_MEMORY[address] = function
        notes.append("the function lives in this process's memory only: runs are forked from it")
    described = {"function": address, "source": function_job.code_digest(function)}
    name = getattr(function, "__name__", "function").strip("<>")
    metric = _metric(wish)
    design = wish.design or default_design(arms)
    cells = _simple_cells(design, arms, lambda chosen: {
        **described,
        "levels": {change.text.partition("=")[0]: change.value for arm in chosen for change in arm.changes},
        "seed": wish.seed or 0,
        "metric": metric,
    })  # fmt: skip
    return _plan(
        wish, name, "function", address, metric | {"delta": wish.delta}, (design, arms, cells), wish.threads or 1,
        _device_of(wish), notes,
    )  # fmt: skip


def _of_command(command: Command, texts: Sequence[str], wish: Wish) -> Plan:
    command_job.check(command.text, command.metric_regex)
    arms = parse_command_arms(texts)
    metric = _metric(wish)
    described = {
        "command": command.text,
        "source": command_job.code_digest(command.text),
        "metric_regex": command.metric_regex,
    }
    design = wish.design or default_design(arms)
    cells = _simple_cells(design, arms, lambda chosen: {
        **described,
        "arguments": [text for arm in chosen for text in arm.texts("argument")],
        "seed": wish.seed or 0,
        "metric": metric,
    })  # fmt: skip
    return _plan(
        wish, "command", "command", command.text, metric | {"delta": wish.delta}, (design, arms, cells),
        wish.threads or 1, _device_of(wish), [],
    )  # fmt: skip


def _plan(
    wish: Wish,
    name: str,
    kind: str,
    subject: str,
    metric: Mapping[str, Any],
    designed: tuple[str, Sequence[Arm], Sequence[CellPlan]],
    threads: int,
    device: str,
    notes: Sequence[str],
) -> Plan:
    design, arms, cells = designed
    per_device = wish.per_device or 1
    processes = processes_of(cells)
    if device == "cuda":
        if wish.workers is not None:
            raise UserError("runs share the GPUs", where="--workers", fix="say how many share one with --per-device")
        workers = max(1, len(visible_devices()) // processes) * per_device
    else:
        workers = wish.workers or (1 if device == "mps" else max(1, cores() // (threads * processes)))
    if device != "cuda" and wish.per_device is not None:
        raise UserError("there is no CUDA device to share", where="--per-device", fix="use --workers")
    return Plan(
        experiment=name,
        kind=kind,
        subject=subject,
        metric=metric.get("monitor") or metric["name"],
        direction=metric["mode"],
        delta=metric.get("delta"),
        design=design,
        arms=tuple(arms),
        cells=tuple(cells),
        looks=wish.looks,
        workers=workers,
        threads=threads,
        device=device,
        per_device=per_device,
        notes=tuple(notes),
    )


def _simple_cells(design: str, arms: Sequence[Arm], describe: Callable[[list[Arm]], dict[str, Any]]) -> list[CellPlan]:
    cells = cells_of(design, arms)
    by_name = {arm.name: arm for arm in arms}
    planned = []
    for cell, folder in zip(cells, folder_names(cells), strict=True):
        recipe = describe([by_name[name] for name in cell])
        text = json.dumps(recipe, sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        writes = changed_paths(describe([]), recipe)
        planned.append(CellPlan(cell, folder, recipe, digest={"fit": digest, "evaluate": digest}, writes=writes))
    return planned


def _metric(wish: Wish) -> dict[str, Any]:
    return {"name": wish.metric or "score", "mode": wish.direction or "max"}


def _device_of(wish: Wish) -> str:
    """``cuda`` when runs are to share devices; else the function's own business."""
    if wish.per_device is None:
        return "any"
    return device_kind("auto")


def _texts(factors: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Arms as texts; a mapping gives one ``key=level|level`` per key."""
    if isinstance(factors, Mapping):
        texts = []
        for key, given in factors.items():
            levels = given if isinstance(given, list | tuple) else [given]
            texts.append(f"{key}=" + "|".join(map(_level_text, levels)))
        return texts
    if isinstance(factors, str):
        raise UserError("the arms are a list", where="factors", fix=f"write [{factors!r}]")
    return list(factors)


def _level_text(level: Any) -> str:
    """A level as it would be written in an arm; quoted where it would otherwise be cut."""
    cut = isinstance(level, str) and any(split(level, separator) != [level] for separator in " |")
    return level if isinstance(level, str) and not cut else json.dumps(level, ensure_ascii=False)


def _same(default: Any, level: Any) -> bool:
    return isinstance(default, bool) == isinstance(level, bool) and bool(default == level)
