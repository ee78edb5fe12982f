"""Which members of a soup make it better on a set that the outcome is not read from."""

from __future__ import annotations

from collections.abc import Callable

from tricklab.optim.averaging import State
from tricklab.optim.soup import Soup


def greedy_members(soup: Soup, score: Callable[[State, bool], float]) -> tuple[list[int], list[float]]:
    """The members that stay, in the order in which they were taken, and every member's own score.

    Args:
        soup: with at least one member.
        score: of plain weights, higher is better; told whether they are mixed, so that running statistics are
            estimated anew.
    """
    alone = [score(state, False) for state in soup.members]
    # sorted is stable: of equal ones the earlier branch comes first
    order = sorted(range(len(alone)), key=lambda number: -alone[number])
    chosen, best = [order[0]], alone[order[0]]
    for number in order[1:]:
        with_it = score(soup.mean_of([*chosen, number]), True)
        if with_it >= best:
            chosen, best = [*chosen, number], with_it
    return chosen, alone
