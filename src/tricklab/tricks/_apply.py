"""Tricks onto a recipe, one after the other, each with the set of values that it wrote."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tricklab.errors import UserError, nearest
from tricklab.recipe.calls import TrickCall
from tricklab.recipe.located import Located, Origin, plain
from tricklab.recipe.paths import join, overlap
from tricklab.recipe.recipe import Recipe
from tricklab.tricks._alignment import aligned, moved
from tricklab.tricks._arguments import bind
from tricklab.tricks._base import Trick
from tricklab.tricks._catalogue import catalogue, get

Writes = dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Applied:
    """A patched recipe.

    Attributes:
        recipe: resolved, with no calls left.
        writes: for each call, by its place in ``calls``, path to (before, after); None where there was none.
        calls: the calls as applied, arguments filled in.
    """

    recipe: Recipe
    writes: dict[int, Writes]
    calls: tuple[TrickCall, ...]


def apply(recipe: Recipe, calls: Sequence[TrickCall] | None = None) -> Applied:
    """Resolve a recipe, turn tricks on, resolve again.

    Args:
        recipe: as loaded.
        calls: which tricks; the recipe's own if not given. They are applied in their order, except that a trick that
            says ``after=other`` comes after the other.

    Raises:
        UserError: an unknown trick (with the nearest name), a trick for another task, a wrong argument, a trick that
            changes nothing, or two tricks that write one path without one saying ``after=`` the other.
    """
    from tricklab.recipe.resolving import resolve

    asked = recipe.calls if calls is None else tuple(calls)
    current = resolve(recipe.with_calls(()))
    bound = [(get(call.name, where=str(call.origin)), call) for call in asked]
    bound = [(trick, bind(trick, call)) for trick, call in bound]
    _check_names(bound, current.get("task"))
    writes: dict[int, Writes] = {}
    for place in _order([call for _, call in bound]):
        trick, call = bound[place]
        patched = _patched(trick, call, current)
        before, after = current.tree, patched.tree
        written = difference(before, after)
        for earlier, paths in writes.items():
            paths = writes[earlier] = {moved(path, before, after): change for path, change in paths.items()}
            _refuse_conflict(bound[earlier][1], call, paths, written)
        _refuse_nothing(trick, call, written)
        writes[place], current = written, patched
    return Applied(current, {place: writes[place] for place in sorted(writes)}, tuple(call for _, call in bound))


def difference(before: Any, after: Any, path: tuple[object, ...] = ()) -> Writes:
    """What differs between two trees of plain data: path to (before, after).

    Items put into a list are paths of their own; a list that got shorter is one path.

    >>> difference({"a": [1], "b": 2}, {"a": [5, 1], "b": 3})
    {'a.0': (None, 5), 'b': (2, 3)}
    """
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [*before, *(key for key in after if key not in before)]
        pairs = [(key, before.get(key), after.get(key)) for key in keys]
    elif isinstance(before, list) and isinstance(after, list) and len(before) <= len(after):
        places = aligned(before, after)
        olds = [None if place is None else before[place] for place in places]
        pairs = list(zip(range(len(after)), olds, after, strict=True))
    else:
        same = type(before) is type(after) and before == after
        return {} if same else {join(path): (before, after)}
    found: Writes = {}
    for key, old, new in pairs:
        found |= difference(old, new, (*path, key))
    return found


def _patched(trick: Trick, call: TrickCall, current: Recipe) -> Recipe:
    from tricklab.recipe.resolving import resolve

    try:
        patched = trick(current, **call.arguments)
    except UserError as error:
        place = f"{call.origin}, {call.text}" + (f", {error.where}" if error.where else "")
        raise UserError(error.what, where=place, fix=error.fix) from error
    if not isinstance(patched, Recipe):
        raise UserError(
            f"the trick {trick.name!r} returned {type(patched).__name__}, not a recipe",
            where=trick.file,
            fix="recipe.set(…) gives a new recipe: return it",
        )
    root = _carried(current.root, patched.root, Origin(f"trick {trick.name}"))
    return resolve(dataclasses.replace(patched, root=root, calls=()))


def _carried(before: Located | None, after: Located, origin: Origin) -> Located:
    """``after`` in which what did not change keeps its origin and the rest has the trick's."""
    if before is not None and plain(before) == plain(after):
        return before
    if before is not None and type(before.value) is not type(after.value):
        before = None
    above = before.origin if before is not None else origin
    if isinstance(after.value, dict):
        child = before.child if before is not None else lambda segment: None
        return Located({key: _carried(child(str(key)), item, origin) for key, item in after.value.items()}, above)
    if isinstance(after.value, list):
        old = [] if before is None else before.value
        places = aligned([plain(item) for item in old], [plain(item) for item in after.value])
        pairs = zip(places, after.value, strict=True)
        return Located([_carried(None if i is None else old[i], item, origin) for i, item in pairs], above)
    return Located(after.value, origin)


def _check_names(bound: Sequence[tuple[Trick, TrickCall]], task: str) -> None:
    seen: set[str] = set()
    for trick, call in bound:
        where = f"{call.origin}, {call.text}"
        if not trick.fits(task):
            raise UserError(
                f"the trick {trick.name!r} is for {', '.join(trick.tasks)}, not for the task {task!r}", where=where
            )
        if call.text in seen:
            raise UserError("this trick is asked for twice", where=where)
        seen.add(call.text)
        for name in call.after:
            known = [other.name for other in catalogue()]
            if name not in known:
                raise UserError(f"after= names an unknown trick {name!r}", where=where, fix=nearest(name, known))


def _order(calls: Sequence[TrickCall]) -> list[int]:
    """Places in the order of application: as listed, but after what ``after=`` names."""
    waiting, order = list(range(len(calls))), []
    while waiting:
        names = {calls[place].name for place in waiting}
        ready = next((p for p in waiting if not (set(calls[p].after) & names - {calls[p].name})), None)
        if ready is None:
            texts = ", ".join(calls[place].text for place in waiting)
            raise UserError(f"after= goes in a circle: {texts}", where=str(calls[waiting[0]].origin))
        order.append(ready)
        waiting.remove(ready)
    return order


def _refuse_conflict(earlier: TrickCall, later: TrickCall, its_writes: Writes, writes: Writes) -> None:
    if earlier.name in later.after:
        return
    shared = next((path for path in writes if any(overlap(path, other) for other in its_writes)), None)
    if shared is None:
        return
    ordering = "after_trick" if "after" in later.arguments else "after"
    raise UserError(
        f"{earlier.text} and {later.text} both write {shared}",
        where=f"{earlier.origin} and {later.origin}" if earlier.origin != later.origin else str(later.origin),
        fix=f"leave one out, or say that one goes on top: +{later.name}(…, {ordering}={earlier.name})",
    )


def _refuse_nothing(trick: Trick, call: TrickCall, written: Writes) -> None:
    where = f"{call.origin}, {call.text}"
    if not written:
        raise UserError(
            f"the trick {trick.name!r} changes nothing: the recipe already says so",
            where=where,
            fix="leave it out, or change the recipe it is compared with",
        )
    if trick.stage == "evaluate" and all(call.arguments.get(key) is None for key in trick.trains_with):
        outside = [path for path in written if not path.startswith("evaluate.")]
        if outside:
            raise UserError(
                f"the trick {trick.name!r} says stage='evaluate' and writes {outside[0]}",
                where=trick.file,
                fix="an evaluate trick writes only below evaluate; declare stage='fit'",
            )
