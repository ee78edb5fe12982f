"""How evenly the prepared bands are scaled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

# whitened components have one standard deviation up to the difference between the fitted and the training pixels
_EVEN = 3.0


def scales_even(evidence: Evidence, asked: bool) -> Proof:
    """Whether the bands' standard deviations over the training pixels are about equal, as whitening makes them."""
    scales = [scale for scale in evidence.fact("data/band_scales", []) if scale > 0]
    if len(scales) < 2:
        return Proof(False, f"{len(scales)} band scales are recorded")
    ratio = max(scales) / min(scales)
    text = f"the largest standard deviation of a band is {ratio:.3g} times the smallest"
    return Proof((ratio < _EVEN) == asked, text, {"ratio": ratio, "bands": len(scales)})
