"""(kind, name) -> class: found by reading the source, imported only when something is checked or built.

A component is a class or function under ``@component(kind)``. Its parameters are its recipe keys, its annotations the
type check, its first docstring line the summary. Parameters named in ``given`` come from the framework and may not
stand in a recipe. With ``**rest`` a class has those of its base class too (:mod:`tricklab.arguments`).
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from tricklab import arguments
from tricklab.errors import UserError, nearest

if typing.TYPE_CHECKING:
    from pydantic import BaseModel

FOLDERS = {
    "model": "models",
    "backbone": "models/segmentation",
    "head": "models/segmentation",
    "block": "layers",
    "context": "layers/context",
    "loss": "losses",
    "pixel_sampler": "losses/samplers",
    "optimizer": "optim",
    "schedule": "optim/schedules",
    "averaging": "optim",
    "data": "data",
    "scene": "data/formats",
    "split": "data/splits",
    "transform": "data/transforms",
    "layout": "data/layouts",
    "image_split": "data/image_splits",
    "image_transform": "data/image_transforms",
    "batch_transform": "data/batch_transforms",
    "mask_layout": "data/mask_layouts",
    "mask_split": "data/mask_splits",
    "pair_transform": "data/pair_transforms",
    "mask_batch_transform": "data/mask_batch_transforms",
    "sampler": "data",
    "postprocess": "inference",
    "task": "tasks",
    "teacher": "tasks",
    "logger": "engine/loggers",
}
# what may also stand where a component of a kind is asked for
ALSO = {"block": ("context",)}
_ROOT = Path(__file__).parent
_RUNTIME: dict[tuple[str, str], Any] = {}
Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Where = Callable[[str], "str | None"]
Complete = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """Marks a nested component: ``Annotated[dict[str, Any], Kind("scene")]``, alone or inside ``list[...]``."""

    name: str


@dataclass(frozen=True)
class Entry:
    """What is known of a component without importing it."""

    name: str
    kind: str
    module: str
    qualname: str
    summary: str
    source: str
    file: str
    line: int


def component(
    kind: str,
    *,
    name: str | None = None,
    source: str = "",
    given: tuple[str, ...] = (),
    fixed: tuple[str, ...] = (),
    complete: Complete | None = None,
) -> Callable[[Decorated], Decorated]:
    """Declare a class or function as a component of a kind.

    Args:
        kind: one of the kinds in ``FOLDERS``.
        name: the ``type`` in a recipe; the class name if not given.
        source: the paper or official file it follows.
        given: parameters that the framework supplies, such as ``classes``; what base classes name so counts too.
        fixed: parameters of the base class that the class sets itself, so that ``**rest`` may not hold them.
        complete: gives the checked keys with what must be known before anything runs, such as the hash of a file that
            is named; the ``where`` of its errors is a key or keys joined by dots.
    """
    if kind not in FOLDERS:
        raise UserError(f"unknown kind of component {kind!r}", fix=nearest(kind, FOLDERS))
    extra: dict[str, Any] = {} if complete is None else {"complete": complete}

    def declare(cls: Decorated) -> Decorated:
        key = (kind, name or cls.__name__)
        known = _RUNTIME.get(key)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise UserError(
                f"two components of kind {kind!r} are named {key[1]!r}",
                where=f"{known.__module__} and {cls.__module__}",
                fix="give one of them another name=",
            )
        cls.__component__ = {"kind": kind, "name": key[1], "source": source, **extra}  # type: ignore[attr-defined]
        _RUNTIME[key] = cls
        return component_base(given=given, fixed=fixed)(cls)

    return declare


def component_base(*, given: tuple[str, ...] = (), fixed: tuple[str, ...] = ()) -> Callable[[Decorated], Decorated]:
    """Declare what a class that is no component itself shares with those that are derived from it; as of component."""

    def declare(cls: Decorated) -> Decorated:
        target: Any = cls
        target.__arguments__ = {"given": given, "fixed": fixed}
        arguments.show_all(target, _arguments(target))
        return cls

    return declare


def entries(kind: str) -> list[Entry]:
    """All components of a kind, sorted by name, without importing any of tricklab's own."""
    kinds = (kind, *ALSO.get(kind, ()))
    found = {name: entry for accepted in reversed(kinds) for name, entry in _scan(accepted).items()}
    for (its_kind, name), cls in _RUNTIME.items():
        if its_kind in kinds and name not in found:
            found[name] = _entry_of(cls)
    return [found[name] for name in sorted(found)]


def load(kind: str, name: str, *, where: str | None = None) -> Any:
    """The class or function behind a name; imports its module."""
    if kind not in FOLDERS:
        raise UserError(f"unknown kind of component {kind!r}", where=where, fix=nearest(kind, FOLDERS))
    for accepted in (kind, *ALSO.get(kind, ())):
        entry = _scan(accepted).get(name)
        if entry is not None:
            return getattr(importlib.import_module(entry.module), entry.qualname)
        if (accepted, name) in _RUNTIME:
            return _RUNTIME[accepted, name]
    raise UserError(f"unknown {kind} {name!r}", where=where, fix=nearest(name, [e.name for e in entries(kind)]))


def check(kind: str, config: Mapping[str, Any], path: str = "", where: Where = lambda path: None) -> dict[str, Any]:
    """Check a component's mapping against its signature and fill in every default.

    Args:
        config: a mapping with the key ``type`` and recipe keys.
        path: where it stands in the recipe, for errors.
        where: gives ``file:line`` of a path, or None.

    Returns:
        A new plain dict: ``type`` first, then every parameter in the signature's order, nested components checked too.

    Raises:
        UserError: unknown type, unknown key (with the nearest known), missing key, wrong type; names the place.
    """

    def place(key: str) -> str:
        line = where(key)
        return f"{line}, {key}" if line else key or kind

    if not isinstance(config, Mapping):
        raise UserError(f"a {kind} must be a mapping with the key 'type', not {config!r}", where=place(path))
    name = config.get("type")
    if not isinstance(name, str):
        raise UserError(
            f"a {kind} needs the key 'type'",
            where=place(path),
            fix=f"known: {', '.join(e.name for e in entries(kind))}",
        )
    cls = load(kind, name, where=place(f"{path}.type" if path else "type"))
    given = _given(cls)
    nested = {key: hint for key, hint in _hints(cls).items() if _nested_kind(hint)[0]}
    plain = {key: value for key, value in config.items() if key != "type"}
    for key in plain:
        inside = _below(path, key)
        if key in given:
            raise UserError(f"{key!r} of {name} is set by tricklab and may not stand in a recipe", where=place(inside))
        if key not in _hints(cls):
            raise UserError(f"unknown key {key!r} of {name}", where=place(inside), fix=nearest(str(key), _hints(cls)))
    values = _validated(cls, name, plain, path, place)
    for key, hint in nested.items():
        inner, _ = _nested_kind(hint)  # one, a list, or either: what the value is, is already validated
        inside = _below(path, key)
        if values[key] is None:
            continue
        if isinstance(values[key], list):
            values[key] = [check(inner, item, f"{inside}.{i}", where) for i, item in enumerate(values[key])]
        else:
            values[key] = check(inner, values[key], inside, where)
    return {"type": name, **_completed(cls, values, path, place)}


def _completed(cls: Any, values: dict[str, Any], path: str, place: Callable[[str], str]) -> dict[str, Any]:
    complete = cls.__component__.get("complete")
    if complete is None:
        return values
    try:
        found: dict[str, Any] = complete(values)
    except UserError as error:
        where = place(_below(path, *(error.where or "type").split(".")))
        raise UserError(error.what, where=where, fix=error.fix) from error
    return found


def build(kind: str, config: Mapping[str, Any], **given: Any) -> Any:
    """Check a component's mapping and instantiate it. ``given`` may hold more than the component asks for.

    Raises:
        UserError: as ``check``; the component needs what its task does not give.
    """
    values = check(kind, config, kind)
    cls = load(kind, values.pop("type"))
    missing = [key for key in _given(cls) if key not in given]
    if missing:
        raise UserError(f"{config['type']} needs {', '.join(missing)}, which this task does not give", where=kind)
    return cls(**values, **{key: given[key] for key in _given(cls)})


def schema(kind: str, name: str) -> dict[str, Any]:
    """JSON Schema of a component's recipe keys; a nested component carries ``x-kind``."""
    cls = load(kind, name)
    found = _model(cls).model_json_schema()
    for key, hint in _hints(cls).items():
        inner, is_list = _nested_kind(hint)
        if inner:
            found["properties"][key]["x-kind"] = inner
            found["properties"][key]["x-list"] = is_list
    found["properties"] = {"type": {"const": name}, **found.get("properties", {})}
    found["required"] = ["type", *found.get("required", [])]
    return found


@functools.cache
def _scan(kind: str) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    folder = _ROOT / FOLDERS[kind]
    for file in sorted(folder.glob("*.py")):
        text = file.read_text(encoding="utf-8")
        if "@component(" not in text:
            continue
        for node in ast.parse(text).body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if not (isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "component"):
                    continue
                if not (mark.args and isinstance(mark.args[0], ast.Constant) and mark.args[0].value == kind):
                    continue
                options = {k.arg: k.value.value for k in mark.keywords if isinstance(k.value, ast.Constant)}
                name = str(options.get("name", node.name))
                module = ".".join(("tricklab", *FOLDERS[kind].split("/"), file.stem))
                summary = (ast.get_docstring(node) or "").split("\n")[0]
                found[name] = Entry(
                    name, kind, module, node.name, summary, str(options.get("source", "")), str(file), node.lineno
                )
    return found


def _entry_of(cls: Any) -> Entry:
    about = cls.__component__
    try:
        file, line = inspect.getsourcefile(cls) or "?", inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):
        # declared on standard input or at a prompt: there is no file to read
        file, line = "?", 0
    summary = (inspect.getdoc(cls) or "").split("\n")[0]
    return Entry(about["name"], about["kind"], cls.__module__, cls.__qualname__, summary, about["source"], file, line)


def _described(cls: Any) -> str:
    return f"component {cls.__component__['name']} in {cls.__module__}"


def _declared(cls: Any, what: str) -> tuple[str, ...]:
    return tuple(vars(cls).get("__arguments__", {}).get(what, ()))


@functools.cache
def _arguments(cls: Any) -> dict[str, arguments.Argument]:
    return arguments.arguments(cls, lambda base: _declared(base, "fixed"))


@functools.cache
def _given(cls: Any) -> tuple[str, ...]:
    """What the framework supplies: what the class says, and of what its bases say the parameters that it has."""
    bases = arguments.takes(cls) if inspect.isclass(cls) else []
    inherited = (key for base in bases for key in _declared(base, "given") if key in _arguments(cls))
    return tuple(dict.fromkeys((*_declared(cls, "given"), *inherited)))


@functools.cache
def _parameters(cls: Any) -> dict[str, inspect.Parameter]:
    found = {key: argument.parameter for key, argument in _arguments(cls).items()}
    given = _given(cls)
    for parameter in found.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise UserError(f"its parameter {parameter} would swallow misspelt keys", where=_described(cls))
        if parameter.annotation is parameter.empty and parameter.name not in given:
            raise UserError(
                f"its parameter {parameter.name!r} has no type", where=_described(cls), fix="annotate it: lr: float"
            )
    return {key: parameter for key, parameter in found.items() if key not in given}


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    # only the recipe's parameters are evaluated: given ones may name types that exist for the type checker alone
    wanted = {key: _arguments(cls)[key] for key in _parameters(cls)}
    try:
        return arguments.hints(wanted)
    except NameError as error:
        raise UserError(f"a parameter's type is unknown when it runs: {error}", where=_described(cls)) from None


def _nested_kind(hint: Any) -> tuple[str, bool]:
    if typing.get_origin(hint) is Annotated:
        for mark in hint.__metadata__:
            if isinstance(mark, Kind):
                return mark.name, False
        return _nested_kind(typing.get_args(hint)[0])
    if typing.get_origin(hint) is list:
        return _nested_kind(typing.get_args(hint)[0])[0], True
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for option in typing.get_args(hint):
            if option is not type(None) and _nested_kind(option)[0]:
                return _nested_kind(option)
    return "", False


@functools.cache
def _model(cls: Any) -> type[BaseModel]:
    from pydantic import ConfigDict, create_model

    fields: dict[str, Any] = {}
    for key, parameter in _parameters(cls).items():
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[key] = (_hints(cls)[key], default)
    config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True, protected_namespaces=()
    )
    return create_model(cls.__name__, __config__=config, **fields)


def _below(path: str, *keys: object) -> str:
    """A path and keys below it, spelt as ``recipe.paths`` does."""
    spelt = [_quoted(str(key)) for key in keys]
    return ".".join([path, *spelt] if path else spelt)


def _quoted(key: str) -> str:
    return key if re.fullmatch(r'[^\s."\\]+', key) else json.dumps(key, ensure_ascii=False)


def _validated(cls: Any, name: str, plain: dict[str, Any], path: str, place: Callable[[str], str]) -> dict[str, Any]:
    from pydantic import ValidationError

    defaults = {key: item.default for key, item in _parameters(cls).items() if item.default is not item.empty}
    try:
        # strict JSON mode: no str to int, yet a list may be a tuple; defaults too, so that 0 for a float becomes 0.0
        found = _model(cls).model_validate_json(json.dumps({**defaults, **plain}, default=list), strict=True)
    except ValidationError as error:
        keys, first = arguments.first_error(error.errors(), {**defaults, **plain})
        inside = _below(path, *keys)
        if first["type"] == "missing":
            raise UserError(f"{name} needs the key {keys[-1]!r}", where=place(inside)) from None
        message = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
        raise UserError(f"wrong value {first['input']!r} of {name}: {message}", where=place(inside)) from None
    except TypeError as error:
        raise UserError(f"a value of {name} is not plain data: {error}", where=place(path)) from None
    return {key: _plain(value) for key, value in found.model_dump(mode="python").items()}


def _plain(value: Any) -> Any:
    """Tuples and sets as lists; a mapping keeps the type of its keys."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple | set | frozenset) else value
