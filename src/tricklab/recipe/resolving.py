"""Check every key and value of a recipe and fill in every default."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from pydantic import BaseModel, ValidationError

from tricklab import registry
from tricklab.errors import UserError, nearest
from tricklab.recipe.components import completed, with_mappings
from tricklab.recipe.defaults import OF_TASK
from tricklab.recipe.located import LENGTHS, Located, Origin, find, locate, origin_at, plain
from tricklab.recipe.paths import Path, join
from tricklab.recipe.recipe import Recipe
from tricklab.recipe.schema import SECTIONS, Every, Freeze, Settings

_DEFAULT = Origin("default")
_DEFAULT_EPOCHS = 100


def resolve(recipe: Recipe) -> Recipe:
    """The same recipe, complete: unknown keys refused, types checked, defaults filled in with their origin.

    Tricks are not applied here: ``tricks.apply`` comes first.

    Raises:
        UserError: the first fault found, with file, line, path and what would be right.
    """
    root = recipe.root
    if not isinstance(root.value, dict):
        raise UserError("a recipe is a mapping", where=str(root.origin))
    _refuse_unknown(root, (), Settings.model_fields)
    _require(root, "task", (entry.name for entry in registry.entries("data")))
    _require(root, "data", ())
    _require(root, "model", (entry.name for entry in registry.entries("model")))
    root = _with_defaults(with_mappings(root))
    _validate(root)
    _cross_check(root)
    return dataclasses.replace(recipe, root=completed(root), resolved=True)


def settings(recipe: Recipe) -> Settings:
    """The resolved recipe as typed attributes: ``settings(recipe).train.batch_size``.

    Raises:
        ValueError: tricks were asked for and are not applied; they would be ignored.
    """
    if recipe.calls:
        raise ValueError(f"{recipe.calls[0].text} is not applied yet: tricks.apply comes before settings")
    return Settings.model_validate((recipe if recipe.resolved else resolve(recipe)).tree)


def _require(root: Located, key: str, known: Iterable[str]) -> None:
    if root.child(key) is None or root.value[key].value is None:
        names = list(known)
        raise UserError(
            f"the recipe has no {key!r}", where=str(root.origin), fix=f"known: {', '.join(names)}" if names else None
        )


def _refuse_unknown(root: Located, path: Path, known: Iterable[str]) -> None:
    for key, item in root.value.items():
        if key not in known:
            raise UserError(
                f"unknown key {key!r}", where=f"{item.origin}, {join((*path, key))}", fix=nearest(str(key), known)
            )


def _with_defaults(root: Located) -> Located:
    values = dict(root.value)
    task = plain(root.value["task"])
    for name, field in Settings.model_fields.items():
        if name in SECTIONS:
            section = values.get(name)
            if section is None or section.value is None:
                section = Located({}, section.origin if section else _DEFAULT)
            values[name] = _filled_section(section, name, task)
        elif name not in values:
            values[name] = locate(field.get_default(call_default_factory=True), _DEFAULT)
    return Located({name: values[name] for name in Settings.model_fields}, root.origin)


def _filled_section(section: Located, name: str, task: object) -> Located:
    if not isinstance(section.value, dict):
        raise UserError(
            f"{name} must be a mapping, not {plain(section)!r}",
            where=f"{section.origin}, {name}",
            fix=f"its keys are {', '.join(SECTIONS[name].model_fields)}",
        )
    _refuse_unknown(section, (name,), SECTIONS[name].model_fields)
    values = dict(section.value)
    if name == "train" and all(key not in values or values[key].value is None for key in LENGTHS):
        values["epochs"] = Located(_DEFAULT_EPOCHS, _DEFAULT)
    for key, field in SECTIONS[name].model_fields.items():
        if key not in values:
            default = OF_TASK.get(str(task), {}).get((name, key), field.default)
            values[key] = locate(
                default.model_dump(exclude_none=True) if isinstance(default, BaseModel) else default, _DEFAULT
            )
    if name == "train" and isinstance(values["freeze"].value, list):
        items = [_filled_item(item, number) for number, item in enumerate(values["freeze"].value)]
        values["freeze"] = Located(items, values["freeze"].origin)
    return Located({key: values[key] for key in SECTIONS[name].model_fields}, section.origin)


def _filled_item(item: Located, number: int) -> Located:
    path = ("train", "freeze", str(number))
    known = Freeze.model_fields
    if not isinstance(item.value, dict):
        raise UserError(
            f"an item must be a mapping, not {plain(item)!r}",
            where=f"{item.origin}, {join(path)}",
            fix="say - match: NAME",
        )
    _refuse_unknown(item, path, known)
    values = {key: item.value[key] if key in item.value else Located(known[key].default, _DEFAULT) for key in known}
    filled = Located(values, item.origin)
    _exactly_one(filled, path, ("match", "layers"))
    if values["layers"].value == 0:
        raise UserError("layers: 0 freezes nothing", where=f"{values['layers'].origin}, {join(path)}.layers")
    return filled


def _validate(root: Located) -> None:
    try:
        Settings.model_validate(plain(root))
    except ValidationError as error:
        first = error.errors()[0]
        path = tuple(map(str, first["loc"]))
        place = f"{origin_at(root, path)}, {join(path)}"
        if first["type"] == "extra_forbidden":
            raise UserError(
                f"unknown key {path[-1]!r}", where=place, fix=nearest(path[-1], Every.model_fields)
            ) from None
        raise UserError(f"wrong value {first['input']!r}: {_lowered(first['msg'])}", where=place) from None


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def _cross_check(root: Located) -> None:
    train = find(root, ("train",))
    evaluate = find(root, ("evaluate",))
    assert train is not None
    assert evaluate is not None
    _exactly_one(train, ("train",), LENGTHS)
    for key in ("validate_every", "checkpoint_every", "log_every"):
        every = train.value[key]
        if every.value is not None:
            _exactly_one(every, ("train", key), LENGTHS)
    for number, item in enumerate(train.value["freeze"].value):
        if item.value["until"].value is not None:
            _exactly_one(item.value["until"], ("train", "freeze", str(number), "until"), LENGTHS)
    clipped = [key for key in ("clip_norm", "clip_value", "clip_adaptive") if train.value[key].value is not None]
    if len(clipped) > 1:
        raise UserError(
            f"{' and '.join(clipped)} are both set",
            where=f"{train.value[clipped[-1]].origin}, train",
            fix=f"choose one and set the other to null, such as train.{clipped[0]}=null",
        )
    if train.value["clip_adaptive_head"].value is True and train.value["clip_adaptive"].value is None:
        raise UserError(
            "clip_adaptive_head is true and nothing is clipped adaptively",
            where=f"{train.value['clip_adaptive_head'].origin}, train.clip_adaptive_head",
            fix="set train.clip_adaptive, such as 0.01",
        )
    _check_sliding(evaluate)
    if evaluate.value["weights"].value == "average" and evaluate.value["averaging"].value is None:
        raise UserError(
            "evaluate.weights is 'average' and nothing is averaged",
            where=f"{evaluate.value['weights'].origin}, evaluate.weights",
            fix="set evaluate.averaging, such as {type: Ema}, or turn on +ema",
        )


def _check_sliding(evaluate: Located) -> None:
    slides = evaluate.value["method"].value == "slide"
    for key in ("window", "stride", "blend", "margin"):
        item = evaluate.value[key]
        where = f"{item.origin}, evaluate.{key}"
        if not slides and item.value is not None:
            raise UserError(
                f"this is for the method slide, not for {evaluate.value['method'].value}",
                where=where,
                fix="write evaluate.method: slide",
            )
        if slides and key in ("window", "stride") and (item.value is None or len(item.value) != 2):
            raise UserError(
                "the method slide needs two numbers of pixels, down and right",
                where=where,
                fix=f"evaluate.{key}: [height, width]",
            )


def _exactly_one(section: Located, path: Path, keys: tuple[str, ...]) -> None:
    given = [key for key in keys if key in section.value and section.value[key].value is not None]
    if len(given) == 1:
        return
    found = " and ".join(f"{key} ({section.value[key].origin})" for key in given) or "none of them"
    raise UserError(
        f"exactly one of {', '.join(keys)} is needed, found {found}",
        where=f"{section.origin}, {join(path)}",
        fix=f"set the others to null, such as {join((*path, given[-1]))}=null" if given else None,
    )
