"""In how many blocks the trick beat the baseline."""

from __future__ import annotations

from scipy import special


def clopper_pearson(count: int, total: int, level: float = 0.05) -> tuple[float, float]:
    """Exact 1 − `level` interval of a share (Clopper and Pearson, Biometrika 1934); no trials give (0, 1).

    >>> [round(end, 3) for end in clopper_pearson(5, 5)]
    [0.478, 1.0]
    """
    assert 0 <= count <= total
    low = 0.0 if count == 0 else float(special.betaincinv(count, total - count + 1, level / 2.0))
    high = 1.0 if count == total else float(special.betaincinv(count + 1, total - count, 1.0 - level / 2.0))
    return low, high
