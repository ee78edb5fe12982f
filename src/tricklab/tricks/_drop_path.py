"""Whether the built model leaves out branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


def branches_drop(evidence: Evidence, rate: float, per: str | None) -> Proof:
    """Whether the largest chance of a branch is the asked one, drawn per ``image`` or ``batch``; None: either."""
    found = evidence.fact("model/drop_path", {})
    largest = max((one["p"] for one in found.values()), default=0.0)
    kinds = sorted({one["per"] for one in found.values()})
    live = abs(largest - rate) < 1e-6 and (per is None or kinds == [per])
    text = f"{len(found)} branches may be left out, with chances up to {largest:.3g}, per {' or '.join(kinds) or '?'}"
    return Proof(live, text, {"branches": len(found), "largest": largest})
