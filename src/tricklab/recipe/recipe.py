"""A recipe: frozen plain data in which every value knows its origin, beside the trick calls that were asked for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from tricklab.errors import UserError, nearest
from tricklab.recipe.calls import TrickCall
from tricklab.recipe.digest import digest
from tricklab.recipe.located import Located, Origin, drop, find, locate, origin_at, plain, put
from tricklab.recipe.paths import join, split

_RAISE = object()
_IN_PYTHON = Origin("in Python")


@dataclass(frozen=True)
class Recipe:
    """What to run. Every change gives a new recipe.

    Args:
        root: the values with their origins.
        calls: tricks that were asked for and are not applied yet.
        name: what to call it: the file's stem or "recipe".
        resolved: whether every key is checked and every default filled in.

    >>> recipe = Recipe.of({"train": {"epochs": 5}})
    >>> recipe.set("train.epochs", 6).get("train.epochs"), recipe.get("train.epochs")
    (6, 5)
    """

    root: Located
    calls: tuple[TrickCall, ...] = ()
    name: str = "recipe"
    resolved: bool = False

    @classmethod
    def of(cls, tree: dict[str, Any], origin: str = "in Python") -> Recipe:
        """A recipe from plain data, as it is: no base, no tricks, nothing checked."""
        return cls(locate(tree, Origin(origin)))

    @property
    def tree(self) -> dict[str, Any]:
        """The bare values, freshly copied."""
        return plain(self.root)

    def get(self, path: str, default: Any = _RAISE) -> Any:
        """The value at a path, freshly copied.

        Raises:
            UserError: there is none and no default was given.
        """
        found = find(self.root, split(path))
        if found is not None:
            return plain(found)
        if default is not _RAISE:
            return default
        segments = split(path)
        depth = next(n for n in range(len(segments)) if find(self.root, segments[: n + 1]) is None)
        above = find(self.root, segments[:depth])
        known = above.value if above is not None and isinstance(above.value, dict) else []
        raise UserError(
            f"the recipe has no {join(segments[: depth + 1])!r}",
            where=str(self.origin(path)),
            fix=nearest(segments[depth], map(str, known)),
        )

    def has(self, path: str) -> bool:
        """Whether there is a value (null counts) at a path."""
        return find(self.root, split(path)) is not None

    def set(self, path: str, value: Any) -> Recipe:
        """A recipe with the value at ``path`` replaced; missing mappings on the way are made."""
        segments = split(path)
        return self._with(put(self.root, segments, locate(value, _IN_PYTHON, segments)))

    def append(self, path: str, value: Any) -> Recipe:
        """A recipe with an item added to the list at ``path``; a missing list is made."""
        segments = split(path)
        found = find(self.root, segments)
        if found is None:
            return self.set(path, [value])
        if not isinstance(found.value, list):
            raise UserError(f"{path} is not a list but {plain(found)!r}", where=str(self.origin(path)))
        return self.set(join((*segments, len(found.value))), value)

    def remove(self, path: str) -> Recipe:
        """A recipe without the value at ``path``, which must exist."""
        return self._with(drop(self.root, split(path)))

    def origin(self, path: str) -> Origin:
        """Where the value at ``path`` came from; of the nearest value above where there is none."""
        return origin_at(self.root, split(path)) if path else self.root.origin

    def with_calls(self, calls: tuple[TrickCall, ...]) -> Recipe:
        """The same values with other trick calls."""
        return dataclasses.replace(self, calls=tuple(calls))

    def to_yaml(self) -> str:
        """YAML 1.2 text that loads to the same recipe; calls not applied stand under ``tricks``."""
        from tricklab.recipe.yaml_writer import write

        return write({**self.tree, "tricks": [call.text for call in self.calls]})

    def digest(self, half: Literal["fit", "evaluate", "all"] = "all") -> str:
        """Hexadecimal identity of what is trained, of how it is evaluated, or of both.

        Raises:
            ValueError: the recipe is not resolved, or still has calls to apply: its identity is not known yet.
        """
        if not self.resolved or self.calls:
            raise ValueError("digest() needs a resolved recipe with its tricks applied: tricks.apply, then resolve")
        return digest(self.tree, half)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recipe):
            return NotImplemented
        return self.tree == other.tree and self.calls == other.calls

    __hash__ = None  # type: ignore[assignment]

    def _with(self, root: Located) -> Recipe:
        return dataclasses.replace(self, root=root, resolved=False)
