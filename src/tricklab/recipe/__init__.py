"""Recipes: loading, inheritance, overrides, checking, origins of values. Trick calls are kept unapplied."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tricklab.recipe.calls import TrickCall, parse
from tricklab.recipe.located import Origin
from tricklab.recipe.recipe import Recipe
from tricklab.recipe.shipped_recipes import shipped

if TYPE_CHECKING:
    from tricklab.recipe.editor_json import editor_schema
    from tricklab.recipe.loading import load
    from tricklab.recipe.resolving import resolve, settings
    from tricklab.recipe.schema import Settings

__all__ = [
    "Origin", "Recipe", "Settings", "TrickCall", "editor_schema", "load", "parse", "resolve", "settings", "shipped",
]  # fmt: skip
# these need PyYAML or pydantic, which listing commands do without
_LATER = {
    "load": "loading",
    "editor_schema": "editor_json",
    "resolve": "resolving",
    "settings": "resolving",
    "Settings": "schema",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"tricklab.recipe.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
