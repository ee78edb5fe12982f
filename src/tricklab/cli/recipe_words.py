"""The words that name one recipe on a command line: RECIPE [+TRICK | KEY=VALUE]..."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tricklab.recipe import Recipe
    from tricklab.tricks import Applied


def applied_recipe(
    words: Sequence[str], without: Sequence[str] = (), data: str | None = None
) -> tuple[Recipe, Applied]:
    """A recipe as it was loaded, and with its tricks and values.

    Args:
        words: the recipe first, then tricks and values in any order.
        without: the recipe's own tricks to leave out.
        data: folder of the data files, ``data.root``.

    Raises:
        UserError: a word that is neither a trick nor a value, or anything wrong in the recipe.
    """
    from tricklab import tricks
    from tricklab.errors import UserError
    from tricklab.recipe import load

    source, *rest = words
    if source.startswith("+") or "=" in source:
        raise UserError(f"{source!r} is no recipe", where="the first word", fix="name the recipe first")
    calls = [word for word in rest if word.startswith("+")]
    values = [word for word in rest if not word.startswith("+") and "=" in word]
    strange = [word for word in rest if word not in calls and word not in values]
    if strange:
        raise UserError(
            f"{strange[0]!r} is neither a trick nor a value",
            where="command line",
            fix="write +trick, key=value or --without trick",
        )
    if data is not None:
        values.append(f"data.root={json.dumps(str(Path(data).resolve()))}")
    loaded = load(source, values, calls, without)
    return loaded, tricks.apply(loaded)
