"""The price of looking more than once: Pocock levels for t tests, by numerical integration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tricklab.errors import UserError
from tricklab.statistics.student import quantile

OVERALL = 0.05
_Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]
_NODES = 32
_NODES_ACROSS_AN_EDGE = 1000
_GRID = 48

# The design document's own figures, from 400,000 simulations; the integral below gives .02794 and .01919.
DECLARED = {(5, 10): 0.0278, (3, 5, 10): 0.0192}


def level_for(looks: Sequence[int], *, final: bool = False) -> float:
    """The level at which every declared look is judged, so that all of them together err with probability .05.

    looks: numbers of blocks, rising, e.g. (5, 10) → .0278, (3, 5, 10) → .0192; one or none → .05. Looks at one block
    test nothing and cost nothing. `final` spends the whole .05 at the first look and gives up the later ones.
    """
    looks = tuple(int(count) for count in looks)
    if any(later <= earlier for earlier, later in pairwise(looks)) or any(n < 1 for n in looks):
        raise UserError(f"looks must be rising numbers of blocks, not {list(looks)}", fix="for example looks: [5, 10]")
    tested = tuple(count for count in looks if count >= 2)
    if final or len(tested) < 2:
        return OVERALL
    return DECLARED.get(tested) or pocock_level(tested)


@cache
def pocock_level(looks: tuple[int, ...]) -> float:
    """The common level for rising `looks` (each ≥ 2) with overall error .05 (Pocock, Biometrika 1977, for t tests)."""
    from scipy.optimize import brentq  # half a second that declared levels need not pay

    found = brentq(lambda level: crossing(looks, level) - OVERALL, OVERALL / len(looks), OVERALL, xtol=1e-7)
    return float(found)


def crossing(looks: tuple[int, ...], level: float) -> float:
    """Chance that a one-sample t test on normal data crosses the two-sided `level` at some look.

    The cosine between the data so far and the all-ones vector carries all of t. Its length is independent of it (Basu),
    so the cosine is a Markov chain and one-dimensional integrals suffice, from the last look back to the first.
    """
    from scipy.interpolate import CubicSpline

    edges = [_edge(count, level) for count in looks]
    grid = np.linspace(-1.0, 1.0, _GRID)

    stays: _Function = np.ones_like
    for position in range(len(looks) - 1, 0, -1):
        points = grid * edges[position - 1]
        values = _step(points, looks[position - 1], looks[position], edges[position], stays)
        stays = CubicSpline(points, values)
    first = _cosine_cdf(np.array([-edges[0], edges[0]]), looks[0])
    nodes, weights = _unit_nodes(_NODES)
    cosines = _cosine_quantile(first[0] + (first[1] - first[0]) * nodes, looks[0])
    return 1.0 - float((first[1] - first[0]) * np.sum(weights * stays(cosines)))


def _edge(count: int, level: float) -> float:
    """|cosine| beyond which t is significant at `level` with `count` blocks."""
    critical = float(quantile(level, count - 1))
    return critical / float(np.sqrt(critical**2 + count - 1))


def _step(points: NDArray[np.float64], before: int, after: int, edge: float, stays: _Function) -> NDArray[np.float64]:
    """P(no crossing at look `after` nor later | cosine at look `before`), for each of `points`."""
    added = after - before
    nodes, weights = _unit_nodes(_NODES if added > 1 else _NODES_ACROSS_AN_EDGE)
    share = special.betaincinv(before / 2.0, added / 2.0, nodes)  # of the squared length that the old blocks hold
    old = np.sqrt(before * share / after) * points[:, None]
    new = np.sqrt(added * (1.0 - share) / after)[None, :]
    if added == 1:  # one new block can only pull up or down
        ends = np.stack([old - new, old + new])
        return np.asarray(np.where(np.abs(ends) <= edge, stays(np.clip(ends, -edge, edge)), 0.0).mean(axis=0) @ weights)
    low = _cosine_cdf(np.clip((-edge - old) / new, -1.0, 1.0), added)
    high = _cosine_cdf(np.clip((edge - old) / new, -1.0, 1.0), added)
    turn = _cosine_quantile(low[..., None] + (high - low)[..., None] * nodes, added)
    following = np.clip(old[..., None] + new[..., None] * turn, -edge, edge)
    inner = (high - low) * (stays(following) @ weights)
    return np.asarray(inner @ weights)


def _cosine_cdf(cosine: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Distribution of one coordinate of a uniform point on the sphere in `count` ≥ 2 dimensions."""
    half = (count - 1) / 2.0
    return np.asarray(special.betainc(half, half, (np.asarray(cosine) + 1.0) / 2.0))


def _cosine_quantile(share: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    half = (count - 1) / 2.0
    return np.asarray(2.0 * special.betaincinv(half, half, np.clip(share, 0.0, 1.0)) - 1.0)


@cache
def _unit_nodes(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1.0) / 2.0, weights / 2.0
