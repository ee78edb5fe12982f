"""Arguments of a trick call against the patch's signature: unknown, missing and wrongly typed ones are errors."""

from __future__ import annotations

import dataclasses
import functools
import json
import typing
from typing import Any

from tricklab.errors import UserError, nearest
from tricklab.recipe.calls import TrickCall
from tricklab.tricks._base import Trick


def bind(trick: Trick, call: TrickCall) -> TrickCall:
    """The call with every argument checked and filled in, and ``after`` moved to its own field.

    Raises:
        UserError: an unknown argument (with the nearest known), a missing one, a wrong type.
    """
    known = {parameter.name: parameter for parameter in trick.parameters}
    where = f"{call.origin}, {call.text}"
    arguments = dict(call.arguments)
    ordering = "after_trick" if "after" in known else "after"
    after = arguments.pop(ordering, list(call.after))
    after = [after] if isinstance(after, str) else after
    if not isinstance(after, list) or not all(isinstance(name, str) for name in after):
        raise UserError(f"{ordering}= takes the name of a trick or a list of names, not {after!r}", where=where)
    for key in arguments:
        if key not in known:
            fix = nearest(key, known) if known else f"{trick.name} takes no arguments"
            raise UserError(f"the trick {trick.name!r} has no argument {key!r}", where=where, fix=fix)
    for parameter in known.values():
        if parameter.required and parameter.name not in arguments:
            raise UserError(
                f"the trick {trick.name!r} needs the argument {parameter.name!r} ({parameter.annotation})",
                where=where,
                fix=f"write +{trick.name}({parameter.name}=…)",
            )
    given = {key: parameter.default for key, parameter in known.items() if not parameter.required} | arguments
    values = {key: _checked(trick, key, given[key], where) for key in known}
    return dataclasses.replace(call, arguments=values, after=tuple(name.removeprefix("+") for name in after))


def _checked(trick: Trick, key: str, value: Any, where: str) -> Any:
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(_hints(trick.patch)[key], config=ConfigDict(allow_inf_nan=False))
        checked = adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise UserError(f"wrong value {value!r} of {key!r}: {message[:1].lower()}{message[1:]}", where=where) from None
    return list(checked) if isinstance(checked, tuple) else checked


@functools.cache
def _hints(patch: Any) -> dict[str, Any]:
    return typing.get_type_hints(patch, include_extras=True)
