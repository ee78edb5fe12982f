"""D20 and D21: images that are enlarged, or drawn out of shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class EnlargedImages(Rule):
    """More than ``share`` of the images are smaller than what the network sees."""

    id: ClassVar[str] = "D20"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def __init__(self, share: float = 0.25) -> None:
        self.share = share

    def check(self, evidence: Evidence) -> Finding | None:
        shapes = evidence.fact("data/shapes") or {}
        if (shapes.get("enlarged_share") or 0.0) <= self.share:
            return None
        height, width = shapes["size"]
        return Finding(
            self.id,
            "note",
            f"{shapes['enlarged_share']:.0%} of the images are smaller than the {height} × {width} of the network "
            f"(median side: {shapes['median_shrinking']:.2g} of it): enlarging adds no detail",
            dict(shapes),
            ("data.size is that of the published weights, not that of the images",),
            "compare with a smaller data.size on the same blocks; it is faster too",
        )


class DistortedImages(Rule):
    """More than ``share`` of the images change their ratio of width to height by more than a quarter."""

    id: ClassVar[str] = "D21"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def __init__(self, share: float = 0.1) -> None:
        self.share = share

    def check(self, evidence: Evidence) -> Finding | None:
        shapes = evidence.fact("data/shapes") or {}
        if shapes.get("resize") != "squash" or (shapes.get("distorted_share") or 0.0) <= self.share:
            return None
        height, width = shapes["size"]
        return Finding(
            self.id,
            "note",
            f"squashed to {height} × {width}, {shapes['distorted_share']:.0%} of the images change their shape by more "
            f"than a quarter, the worst {shapes['largest_distortion']:.2g} times",
            dict(shapes),
            ("the images are not all square", "their shape itself may tell the class"),
            "compare data.resize=crop and data.resize=pad on the same blocks",
            ("data.resize=pad",),
        )
