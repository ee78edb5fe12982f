"""Bases that only the tests of arguments know; their types are names of this module."""

from __future__ import annotations

from typing import Annotated, Any

import tests.toy_components  # noqa: F401 - declares ToySplit
from tricklab.registry import Kind, component_base

Height = int


@component_base(given=("counts",))
class Base:
    """A base.

    Args:
        width: across.
        height, kind: of all.
        name: hidden by the middle's.
        counts: of each.
    """

    def __init__(
        self,
        width: float = 1.0,
        height: Height = 3,
        name: str = "base",
        kind: Annotated[dict[str, Any], Kind("split")] = {"type": "ToySplit"},  # noqa: B006
        *,
        counts: Any,
    ) -> None:
        self.width, self.height, self.name, self.kind, self.counts = width, height, name, kind, counts


class Middle(Base):
    """Between.

    Args:
        name: what it is called;
            None for nothing.
    """

    def __init__(self, name: str | None = None, **rest: Any) -> None:
        super().__init__(name="" if name is None else name, **rest)
