"""Which of the classes a loss is a mean over."""

from __future__ import annotations

from collections.abc import Sequence

from tricklab.errors import UserError
from tricklab.losses.targets import Scoring


def check_classes(classes: str | Sequence[int], where: str) -> None:
    """Refuse a list that is empty or has a number below 0 or twice; what stands for a list is not looked at."""
    if isinstance(classes, str):
        return
    if not classes or min(classes) < 0 or len(set(classes)) < len(classes):
        raise UserError(f"must be different class numbers, not {classes}", where=where)


def chosen_classes(classes: str | Sequence[int], number: int, scoring: Scoring, where: str) -> tuple[int, ...]:
    """The class numbers meant among ``number``. One channel has class 1 alone unless a list says otherwise.

    Raises:
        UserError: there is no class of a number in the list.
    """
    if isinstance(classes, str):
        return (1,) if scoring == "one channel" else tuple(range(number))
    if max(classes) >= number:
        raise UserError(f"there is no class {max(classes)} among {number}", where=where)
    return tuple(classes)
