"""From a file, a shipped name or a mapping to a recipe: bases, overrides, trick calls, user modules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tricklab.errors import UserError, nearest
from tricklab.recipe import calls as trick_calls
from tricklab.recipe.located import Located, Origin, find, locate, merge, plain, put
from tricklab.recipe.overrides import apply_overrides
from tricklab.recipe.recipe import Recipe
from tricklab.recipe.shipped_recipes import shipped
from tricklab.recipe.yaml_nodes import read

_LONGEST_SHOWN = 60


def load(
    source: Path | str | dict[str, Any],
    overrides: Sequence[str] = (),
    tricks: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Recipe:
    """Load a recipe; nothing is checked against the components yet (``resolve`` does).

    Args:
        source: a YAML file, the name of a shipped recipe, or plain data.
        overrides: ``key=value`` texts; their order does not matter.
        tricks: ``+name(key=value)`` texts, put after the recipe's own.
        without: names of the recipe's own tricks to leave out.

    Raises:
        UserError: a missing or unreadable file, a circle of bases, a malformed override or trick, nothing to leave out.

    >>> load({"task": "hyperspectral"}, ["train.epochs=5"]).get("train.epochs")
    5
    """
    if isinstance(source, dict):
        root, name = _inherited(locate(source, Origin("in Python")), Path.cwd(), ()), "recipe"
    else:
        file = _find(str(source), Path.cwd(), where="command line")
        root, name = _from_file(file, ()), file.stem
    asked = root.child("tricks")
    root = Located({key: item for key, item in root.value.items() if key != "tricks"}, root.origin)
    root = _with_files(apply_overrides(root, overrides), Path.cwd())
    kept = _left(_listed(asked), without)
    for module in _imports(root):
        _import(module)
    return Recipe(root, (*kept, *(trick_calls.parse(text) for text in tricks)), name)


def _from_file(file: Path, open_files: tuple[Path, ...]) -> Located:
    if file in open_files:
        circle = " -> ".join(path.name for path in (*open_files, file))
        raise UserError(f"the bases go in a circle: {circle}", where=_shown(open_files[-1]))
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("not a text file in UTF-8", where=_shown(file)) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=_shown(file)) from None
    root = read(text, _shown(file))
    if not isinstance(root.value, dict):
        what = "the recipe is empty" if root.value is None else f"a recipe is a mapping, not {plain(root)!r}"
        raise UserError(what, where=_shown(file), fix="begin with task: hyperspectral")
    return _inherited(root, file.parent, (*open_files, file))


def _inherited(root: Located, folder: Path, open_files: tuple[Path, ...]) -> Located:
    """``root`` with its base below it; imports become absolute and add to the base's."""
    own_imports = [Located(_absolute(item, folder), item.origin) for item in _imports(root)]
    base = root.child("base")
    root = _with_files(root, folder)
    values = {key: item for key, item in root.value.items() if key not in ("base", "imports")}
    root, imports = Located(values, root.origin), root.child("imports")
    if base is not None:
        if not isinstance(base.value, str):
            raise UserError("base must be one file or the name of a shipped recipe", where=base.origin.text)
        below = _from_file(_find(base.value, folder, where=base.origin.text), open_files)
        own_imports = [*_imports(below), *own_imports]
        imports = imports or below.child("imports")
        root = merge(below, root)
    if imports is not None:
        root = Located({**root.value, "imports": Located(own_imports, imports.origin)}, root.origin)
    return root


def _with_files(root: Located, folder: Path) -> Located:
    """``root`` with the files that its model names absolute: they are relative to the recipe that names them."""
    for path in (("model", "weights"), ("model", "target")):
        found = find(root, path)
        if found is None or not isinstance(found.value, str):
            continue
        file, colon, name = found.value.rpartition(":") if path[1] == "target" else (found.value, "", "")
        if path[1] == "weights" or file.endswith(".py"):
            place = str(_resolved(file, folder, found.origin.text))
            root = put(root, path, Located(f"{place}{colon}{name}", found.origin))
    return root


def _find(source: str, folder: Path, where: str) -> Path:
    if not source:
        raise UserError("no recipe is named", where=where, fix=f"known: {', '.join(shipped())}, or a .yaml file")
    path = _resolved(source, folder, where)
    if path.is_file():
        return path
    if path.is_dir():
        inside = path / "recipe.yaml"
        fix = f"did you mean {inside}?" if inside.is_file() else "give a .yaml file or the name of a shipped recipe"
        raise UserError(f"{source!r} is a folder, not a recipe", where=where, fix=fix)
    known = shipped()
    if "/" not in source and source.removesuffix(".yaml") in known:
        return known[source.removesuffix(".yaml")]
    beside = [near.name for near in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    stem = Path(source).stem
    fix = f"a recipe of that name is shipped: {stem}" if stem in known else nearest(source, [*known, *beside])
    raise UserError(f"there is no recipe {source!r}", where=where, fix=fix)


def _resolved(name: str, folder: Path, where: str) -> Path:
    """The path that a name means beside ``folder``."""
    try:
        path = (folder / Path(name).expanduser()).resolve()
        path.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        # too long, the home of an unknown user, a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        shown = name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}…"
        raise UserError(f"{shown!r} cannot be a path: {reason}", where=where) from None
    return path


def _shown(file: Path) -> str:
    """The file relative to the working folder where it lies below it."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)


def _imports(root: Located) -> list[Located]:
    listed = root.child("imports")
    if listed is None or listed.value is None:
        return []
    if not isinstance(listed.value, list) or not all(isinstance(item.value, str) for item in listed.value):
        raise UserError(
            f"imports must be a list of .py files or dotted names, not {plain(listed)!r}", where=listed.origin.text
        )
    return listed.value


def _absolute(item: Located, folder: Path) -> str:
    name: str = item.value
    return str(_resolved(name, folder, item.origin.text)) if name.endswith(".py") else name


def _import(item: Located) -> None:
    from tricklab.user_modules import import_user_module

    try:
        import_user_module(item.value)
    except UserError as error:
        place = f"{item.origin}, {error.where}" if error.where else item.origin.text
        raise UserError(error.what, where=place, fix=error.fix) from error


def _listed(asked: Located | None) -> list[trick_calls.TrickCall]:
    if asked is None or asked.value is None:
        return []
    if not isinstance(asked.value, list):
        raise UserError("tricks must be a list", where=asked.origin.text, fix="write one trick a line: - +se")
    return [trick_calls.from_item(item) for item in asked.value]


def _left(listed: list[trick_calls.TrickCall], without: Sequence[str]) -> list[trick_calls.TrickCall]:
    names = {call.name for call in listed}
    dropped = {name.strip().removeprefix("+") for name in without}
    for name in sorted(dropped - names):
        raise UserError(
            f"the recipe has no trick {name!r} to leave out", where="command line", fix=nearest(name, names)
        )
    return [call for call in listed if call.name not in dropped]
