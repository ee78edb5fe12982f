"""The cells of a recipe's experiment: each resolved before anything runs, trainings shared where they are the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tricklab import tricks
from tricklab.errors import UserError
from tricklab.lab.arms import Arm
from tricklab.lab.designs import Cell, cell_name, cells_of, default_design, folder_names
from tricklab.lab.plan import CellPlan
from tricklab.recipe import Recipe, load, resolve
from tricklab.recipe.located import plain
from tricklab.recipe.overrides import parse_override
from tricklab.recipe.paths import join


@dataclass(frozen=True)
class Subject:
    """A recipe as it is before any arm: where it is, what is set for every arm, where its data lie."""

    source: Path | str | dict[str, Any]
    settings: tuple[str, ...] = ()
    data_root: str | None = None
    delta: float | None = None

    def cell(self, arms: Sequence[Arm]) -> tuple[Recipe, list[dict[str, Any]]]:
        """The resolved recipe of a cell, and name, arguments and writes of its tricks."""
        changes = [change for arm in arms for change in arm.changes]
        changed = [change.text.partition("=")[0].strip() for change in changes if change.kind == "set"]
        kept = [text for text in self.settings if not _overruled(text.partition("=")[0].strip(), changed)]
        recipe = load(
            self.source,
            [*kept, *(change.text for change in changes if change.kind == "set")],
            [change.text for change in changes if change.kind == "trick"],
            [change.text for change in changes if change.kind == "without"],
        )
        if self.data_root is not None:
            recipe = recipe.set("data.root", os.path.abspath(self.data_root))
        elif recipe.get("data.root", None) is not None:
            recipe = recipe.set("data.root", os.path.abspath(recipe.get("data.root")))
        if self.delta is not None:
            recipe = recipe.set("metric.delta", self.delta)
        applied = tricks.apply(recipe)
        declared = [
            {
                "name": call.name,
                "arguments": dict(call.arguments),
                "writes": {path: list(values) for path, values in applied.writes.get(place, {}).items()},
            }
            for place, call in enumerate(applied.calls)
        ]
        return resolve(applied.recipe), declared


def recipe_cells(
    subject: Subject, arms: Sequence[Arm], design: str | None
) -> tuple[str, list[Arm], list[CellPlan], list[str]]:
    """The design that is used, the arms that stay, the cells and the notes for the user.

    A level that equals the recipe's own value is the baseline and is left out. Without a wish the design is the default
    one, or ``add-one`` when the arms cannot all stand in one recipe.

    Raises:
        UserError: an arm that changes nothing, or the metric; arms that cannot stand together in the design that was
            asked for.
    """
    base, base_tricks = subject.cell(())
    alone = {arm.name: subject.cell((arm,)) for arm in arms}
    kept, notes = [], []
    for arm in arms:
        if alone[arm.name][0].get("metric") != base.get("metric"):
            raise UserError(
                "an arm cannot change the metric that all arms are judged by",
                where=f"arm {arm.name!r}",
                fix="change it for every arm, with --set metric.…",
            )
        if alone[arm.name][0].digest() != base.digest():
            kept.append(arm)
        elif sum(other.factor == arm.factor for other in arms) > 1:
            notes.append(f"{arm.name} is the recipe's own value: it is the baseline")
        else:
            raise UserError("this arm changes nothing in the recipe", where=f"arm {arm.name!r}")
    if not kept:
        raise UserError("every level is the recipe's own value", where=f"arm {arms[0].name!r}", fix="add another level")
    known: dict[Cell, tuple[Recipe, list[dict[str, Any]]]] = {(): (base, base_tricks)}
    known |= {(arm.name,): alone[arm.name] for arm in kept}
    if design is not None:
        cells = _resolved(subject, design, kept, known)
    else:
        design = default_design(kept)
        try:
            cells = _resolved(subject, design, kept, known)
        except UserError as error:
            notes.append(f"design add-one, since the arms cannot all stand in one recipe ({error})")
            design = "add-one"
            cells = _resolved(subject, design, kept, known)
    return design, kept, _planned(base, cells), notes


def _resolved(
    subject: Subject, design: str, arms: Sequence[Arm], known: dict[Cell, tuple[Recipe, list[dict[str, Any]]]]
) -> dict[Cell, tuple[Recipe, list[dict[str, Any]]]]:
    by_name = {arm.name: arm for arm in arms}
    cells = {}
    for cell in cells_of(design, arms):
        try:
            if cell not in known:
                cells[cell] = subject.cell([by_name[name] for name in cell])
                _refuse_overwritten([by_name[name] for name in cell], known, cells[cell][0])
            else:
                cells[cell] = known[cell]
        except UserError as error:
            raise UserError(
                error.what,
                where=f"cell {cell_name(cell)!r}{', ' + error.where if error.where else ''}",
                fix=f"{error.fix}; or use --design add-one" if error.fix else "use --design add-one",
            ) from None
    return cells


def _refuse_overwritten(
    arms: Sequence[Arm], known: dict[Cell, tuple[Recipe, list[dict[str, Any]]]], together: Recipe
) -> None:
    """Refuse a cell in which one arm undoes what another one sets: it would judge that arm where it is not on."""
    for arm in arms:
        for text in arm.texts("set"):
            path, written = parse_override(text)
            place = join(path)
            alone = known[(arm.name,)][0].get(place, None)
            if not _holds(plain(written), alone, together.get(place, None)):
                raise UserError(f"another arm overwrites what {arm.name!r} sets", where=place)


def _holds(written: Any, alone: Any, together: Any) -> bool:
    """Whether what an arm wrote stands in a recipe as it does in that of the arm alone; others may add to it."""
    if isinstance(written, dict) and isinstance(alone, dict) and isinstance(together, dict):
        return all(_holds(value, alone.get(key), together.get(key)) for key, value in written.items())
    if isinstance(alone, dict) and isinstance(together, dict):  # a component by its name
        return bool(alone.get("type") == together.get("type"))
    if isinstance(alone, list) and isinstance(together, list):
        return all(item in together for item in alone)
    return bool(alone == together)


def _planned(base: Recipe, cells: dict[Cell, tuple[Recipe, list[dict[str, Any]]]]) -> list[CellPlan]:
    folders = dict(zip(cells, folder_names(list(cells)), strict=True))
    groups: dict[str, list[Cell]] = {}
    for cell, (recipe, _) in cells.items():
        groups.setdefault(recipe.digest("fit"), []).append(cell)
    planned = []
    for cell, (recipe, declared) in cells.items():
        digest = {half: recipe.digest(half) for half in ("fit", "evaluate")}  # type: ignore[arg-type]
        sharing = groups[digest["fit"]]
        trainer = min(sharing, key=len)  # the first of the smallest; Python's min is stable
        watched = _averaging(recipe)
        others = [found for other in sharing if (found := _averaging(cells[other][0])) is not None]
        planned.append(
            CellPlan(
                arms=cell,
                folder=folders[cell],
                recipe=recipe.tree,
                tricks=declared,
                observers=_distinct([found for found in others if found != watched]) if cell == trainer else [],
                fit_from=None if cell == trainer else folders[trainer],
                digest=digest,
                writes=changed_paths(base.tree, recipe.tree),
            )
        )
    return planned


def changed_paths(before: Any, after: Any, path: str = "") -> list[str]:
    """Dotted paths at which two trees of plain data differ; a list that differs is one path.

    >>> changed_paths({"a": {"b": 1, "c": [1]}}, {"a": {"b": 2, "c": [1, 2]}})
    ['a.b', 'a.c']
    """
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in dict.fromkeys([*before, *after]):
            found += changed_paths(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
        return found
    return [] if before == after and type(before) is type(after) else [path]


def _overruled(path: str, changed: Sequence[str]) -> bool:
    """Whether an arm sets this path, or replaces the component that it belongs to."""
    return any(path == other or path.startswith(f"{other.removesuffix('.type')}.") for other in changed)


def _averaging(recipe: Recipe) -> dict[str, Any] | None:
    return recipe.get("evaluate.averaging", None)


def _distinct(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for place, item in enumerate(items) if item not in items[:place]]
