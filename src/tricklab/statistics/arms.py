"""One line per cell: how many runs, how many failed, mean and standard deviation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tricklab.statistics.judgement import ArmSummary
from tricklab.statistics.table import Table


def summarise_arms(
    cells: Mapping[str, Sequence[float | None]],
    failed: Mapping[str, Sequence[bool]] | None,
    table: Table,
    in_pool: NDArray[np.bool_] | None,
) -> tuple[ArmSummary, ...]:
    """The judged cells over the blocks used; the others (refused, not live) over whatever scores they have."""
    rows = []
    for name, scores in cells.items():
        if name in table.cells:
            column = table.column(name)
            values, lost = table.scores[:, column], int(table.failed[:, column].sum())
            runs = len(values)
        else:
            flags = list((failed or {}).get(name, ()))
            flags += [False] * (len(scores) - len(flags))
            broken = [
                flag or (score is not None and not math.isfinite(score))
                for score, flag in zip(scores, flags, strict=False)
            ]
            lost = sum(broken)
            values = np.array(
                [s for s, bad in zip(scores, broken, strict=False) if s is not None and not bad], dtype=float
            )
            runs = len(values) + lost
        mean = float(values.mean()) if len(values) else None
        sd = float(values.std(ddof=1)) if len(values) > 1 else None
        pool = in_pool is not None and name in table.cells and bool(in_pool[table.column(name)])
        rows.append(ArmSummary(name=name, cell=name, n=runs, failed=lost, mean=mean, sd=sd, pool=pool))
    return tuple(rows)
