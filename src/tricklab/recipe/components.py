"""The components of a recipe: where they stand, and each checked by the registry and completed with its defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tricklab import registry
from tricklab.errors import UserError, nearest
from tricklab.recipe.located import Located, Origin, find, origin_at, plain, put
from tricklab.recipe.paths import Path, join, split

# path to the kind of the one component, or of the list of components, that stands there
ONE = {("model",): "model", ("optimizer",): "optimizer", ("evaluate", "averaging"): "averaging"}
MANY = {
    ("model", "insert"): "block",
    ("losses",): "loss",
    ("schedule",): "schedule",
    ("evaluate", "postprocess"): "postprocess",
    ("log", "loggers"): "logger",
}
_HOST = "after"


def with_mappings(root: Located) -> Located:
    """``model: HybridSN`` means ``model: {type: HybridSN}``, wherever a component stands."""

    def full(item: Located) -> Located:
        return Located({"type": item}, item.origin) if isinstance(item.value, str) else item

    for path in (*ONE, *MANY):
        found = find(root, path)
        if found is not None and isinstance(found.value, list):
            root = put(root, path, Located([full(item) for item in found.value], found.origin))
        elif found is not None:
            root = put(root, path, full(found))
    return root


def completed(root: Located) -> Located:
    """Every component checked and completed.

    Raises:
        UserError: an unknown task, type or key, a wrong or missing value; names the place.
    """
    root = _data(root)
    for path, kind in ONE.items():
        found = find(root, path)
        if found is not None and found.value is not None:
            root = _component(root, path, kind)
    for path, kind in MANY.items():
        for position in range(_length(root, path)):
            root = _component(root, (*path, str(position)), kind)
    return root


def _length(root: Located, path: Path) -> int:
    found = find(root, path)
    if found is None or not isinstance(found.value, list):
        where = f"{origin_at(root, path)}, {join(path)}"
        raise UserError(f"{join(path)} must be a list, not {plain(found) if found else None!r}", where=where)
    return len(found.value)


def _data(root: Located) -> Located:
    """The keys of ``data`` are those of the task's data component."""
    task, section = root.value["task"], root.value["data"]
    names = [entry.name for entry in registry.entries("data")]
    if task.value not in names:
        raise UserError(f"unknown task {task.value!r}", where=f"{task.origin}, task", fix=nearest(task.value, names))
    if section.child("type") is not None:
        raise UserError("data has no type of its own: the task says it", where=f"{section.value['type'].origin}, data")
    checked = registry.check("data", {"type": task.value, **plain(section)}, "data", _placing(root))
    checked.pop("type")
    return put(root, ("data",), _with_origins(section, checked, task.value))


def _component(root: Located, path: Path, kind: str) -> Located:
    """Check one; a model's ``insert`` and a block's ``after`` are keys of the recipe, not of the component."""
    section = find(root, path)
    assert section is not None
    values = plain(section)
    if not isinstance(values, dict):
        raise UserError(f"a {kind} must be a mapping with the key 'type'", where=f"{section.origin}, {join(path)}")
    inserts = values.pop("insert", []) if kind == "model" else None
    host = values.pop(_HOST, None) if kind == "block" else None
    if kind == "block" and not isinstance(host, str):
        where = f"{origin_at(root, (*path, _HOST))}, {join((*path, _HOST))}"
        raise UserError(f"a {kind} here needs the key {_HOST!r} with the name of a module", where=where)
    checked = registry.check(kind, values, join(path), _placing(root))
    if kind == "model":
        checked["insert"] = inserts
    elif kind == "block":
        checked = {"type": checked.pop("type"), _HOST: host, **checked}
    return put(root, path, _with_origins(section, checked, checked["type"]))


def _placing(root: Located) -> Callable[[str], str]:
    def place(path: str) -> str:
        return str(origin_at(root, split(path)) if path else root.origin)

    return place


def _with_origins(located: Located | None, value: Any, owner: str) -> Located:
    """``value`` with the origins of ``located``; what is new is the owner's default."""
    origin = located.origin if located is not None else Origin(f"default of {owner}")

    def inside(key: object, item: Any, its_owner: str) -> Located:
        return _with_origins(located.child(str(key)) if located is not None else None, item, its_owner)

    if isinstance(value, dict):
        its_owner = value["type"] if isinstance(value.get("type"), str) else owner
        return Located({key: inside(key, item, its_owner) for key, item in value.items()}, origin)
    if isinstance(value, list):
        return Located([inside(number, item, owner) for number, item in enumerate(value)], origin)
    return Located(value, origin)
