"""Components that only the registry's own tests know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from tricklab.registry import Kind, component

if TYPE_CHECKING:
    from tricklab.seeds import Seeds


@component("split", name="ToySplit")
class ToySplit:
    """Cuts nothing."""

    def __init__(self, share: float = 0.5) -> None:
        self.share = share


@component("data", name="playdata", given=("seeds",))
class ToyData:
    """A toy."""

    def __init__(
        self,
        window: int,
        rate: float = 0.1,
        size: tuple[int, int] = (2, 3),
        split: Annotated[dict[str, Any], Kind("split")] = {"type": "ToySplit"},  # noqa: B006
        cuts: list[Annotated[dict[str, Any], Kind("split")]] | None = None,
        *,
        seeds: Seeds,
    ) -> None:
        self.window, self.rate, self.size, self.split, self.cuts, self.seeds = window, rate, size, split, cuts, seeds
