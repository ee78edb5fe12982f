"""Every class on every side of a drawn split of images with masks, where the images allow it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tricklab.data.split import SPLITS
from tricklab.seeds import Seeds

_DONORS = 32
_PARTNERS = 128
_STARVED = 1_000_000


def spread_classes(shown_NK: np.ndarray | None, units: np.ndarray, sides: np.ndarray, seeds: Seeds) -> np.ndarray:
    """The sides, changed as little as it takes for every side that is used to show every class that it can show.

    A class in one unit belongs to ``train``, one in two units to ``train`` and the next side too, and so on. Units
    change places, those of equal size before others; a unit moves alone where nothing else helps. No side loses more
    than half of its images, and a step is taken only where fewer classes are missing after it, so it may be that some
    stay missing. A draw that lacks nothing is returned as it is, and nothing is drawn for it.

    Args:
        shown_NK: bool, which classes each image has a pixel of; None: nobody knows, nothing is changed.
        units: int64 (N,): images of one unit stay on one side, as they do in ``sides``.
        sides: ``train``, ``val``, ``test`` or "" for each image, ``<U5``, (N,).
        seeds: of the block.

    Returns:
        ``<U5``, (N,).
    """
    used = [name for name in SPLITS if (sides == name).any()]
    if shown_NK is None or len(used) < 2:
        return sides
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    names = np.array([*used, ""])
    shown_UK = np.zeros((len(first), shown_NK.shape[1]), dtype=np.int64)
    np.maximum.at(shown_UK, unit, shown_NK)
    state = _State(
        shown_UK,
        np.bincount(unit),
        (sides[first][:, None] == names).argmax(axis=1),
        needed=np.concatenate(
            [np.arange(len(used))[:, None] < shown_UK.sum(axis=0), np.zeros((1, shown_NK.shape[1]), dtype=bool)]
        ),
    )
    if not state.lacking().any():
        return sides
    rng = seeds.numpy("split", "classes")
    while any(state.mend(side, number, rng) for side, number in _shuffled(state.lacking(), rng)):
        pass
    found: np.ndarray = names[state.side_U][unit].astype(sides.dtype)
    return found


def _shuffled(lacking_SK: np.ndarray, rng: np.random.Generator) -> list[tuple[int, int]]:
    """(side, class) in random order, what training lacks first."""
    pairs = rng.permutation(np.argwhere(lacking_SK))
    return [(int(side), int(number)) for side, number in pairs[np.argsort(pairs[:, 0], kind="stable")]]


@dataclass
class _State:
    """A division of U units among S sides, the last of which is for what is left out.

    Args:
        shown_UK: int64, 1 where a unit shows a class.
        size_U: images of each unit.
        side_U: number of each unit's side.
        needed: bool (S, K).
    """

    shown_UK: np.ndarray
    size_U: np.ndarray
    side_U: np.ndarray
    needed: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.needed)
        self.holds_SK = np.stack([self.shown_UK[self.side_U == side].sum(axis=0) for side in range(count)])
        self.size_S = np.bincount(self.side_U, self.size_U, minlength=count).astype(np.int64)
        self.meant_S = self.size_S.copy()
        # a class without a training pixel stops the run, others only cannot be scored
        self.weight_S = np.where(np.arange(count) == 0, _STARVED, 1)
        self.least_S = np.append(np.maximum(1, (self.meant_S[:-1] + 1) // 2), 0)

    def lacking(self) -> np.ndarray:
        """bool (S, K): classes that a side should show and does not."""
        found: np.ndarray = self.needed & (self.holds_SK == 0)
        return found

    def mend(self, side: int, number: int, rng: np.random.Generator) -> bool:
        """Bring a class to a side by the best exchange found; whether that was possible with fewer classes missing."""
        donors = np.flatnonzero((self.shown_UK[:, number] > 0) & (self.side_U != side))
        partners = np.flatnonzero(self.side_U == side)
        best: tuple[tuple[int, int], int, int] | None = None
        for donor in rng.permutation(donors)[:_DONORS].tolist():
            order = rng.permutation(partners)
            fitting = order[np.argsort(self.size_U[order] != self.size_U[donor], kind="stable")][:_PARTNERS]
            cost, place = self._best_partner(donor, fitting, side)
            if cost is not None and (best is None or cost < best[0]):
                best = cost, donor, -1 if place == len(fitting) else int(fitting[place])
        if best is None or best[0][0] >= int((self.lacking() * self.weight_S[:, None]).sum()):
            return False
        _, donor, partner = best
        other = int(self.side_U[donor])
        self._move(donor, side)
        if partner >= 0:
            self._move(partner, other)
        return True

    def _best_partner(self, donor: int, partners: np.ndarray, side: int) -> tuple[tuple[int, int] | None, int]:
        """What is missing, and how far sizes are off, after the best exchange; its place, past the end for none."""
        other = int(self.side_U[donor])
        given = np.vstack([self.shown_UK[partners], np.zeros_like(self.shown_UK[:1])])
        gained = self.size_U[donor] - np.append(self.size_U[partners], 0)
        holds = self.holds_SK.copy()
        holds[side] += self.shown_UK[donor]
        holds[other] -= self.shown_UK[donor]
        missing = self.needed & (holds == 0)
        missing[[side, other]] = False
        cost = np.full(len(given), int((missing * self.weight_S[:, None]).sum()))
        for place, after in ((side, holds[side] - given), (other, holds[other] + given)):
            cost += self.weight_S[place] * (self.needed[place] & (after == 0)).sum(axis=1)
        sizes = self.size_S[side] + gained, self.size_S[other] - gained
        off = abs(sizes[0] - self.meant_S[side]) + abs(sizes[1] - self.meant_S[other])
        allowed = (sizes[0] >= self.least_S[side]) & (sizes[1] >= self.least_S[other])
        if not allowed.any():
            return None, 0
        order = np.lexsort((off, cost, ~allowed))
        chosen = int(order[0])
        return (int(cost[chosen]), int(off[chosen])), chosen

    def _move(self, unit: int, side: int) -> None:
        other = int(self.side_U[unit])
        self.holds_SK[other] -= self.shown_UK[unit]
        self.holds_SK[side] += self.shown_UK[unit]
        self.size_S[other] -= self.size_U[unit]
        self.size_S[side] += self.size_U[unit]
        self.side_U[unit] = side
