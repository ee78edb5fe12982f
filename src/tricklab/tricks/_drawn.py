"""Proof that an augmentation changed samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


def was_drawn(evidence: Evidence, kind: str) -> Proof:
    """Whether a transform of that type changed any training sample."""
    drawn = {name: entry for name, entry in evidence.fact("data/drawn", {}).items() if name.split("/")[0] == kind}
    shares = {name: entry["share"] for name, entry in drawn.items()}
    if not shares:
        return Proof(False, f"nothing was drawn by a {kind}")
    text = ", ".join(f"{name}: {share:.3g}" for name, share in shares.items())
    return Proof(any(share > 0 for share in shares.values()), f"drawn: {text}", shares)
