"""D17, D26, D27 and D28: files that cannot be read, and files whose pixels are turned into 8-bit colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class UnreadableImages(Rule):
    """Files among the images that cannot be read as images."""

    id: ClassVar[str] = "D17"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "evaluation")

    def check(self, evidence: Evidence) -> Finding | None:
        broken = list(evidence.fact("data/unreadable") or ())
        if not broken:
            return None
        return Finding(
            self.id,
            "warning",
            f"{len(broken):,} image{'s' if len(broken) > 1 else ''} cannot be read: {'; '.join(broken[:3])}"
            f"{' …' if len(broken) > 3 else ''}",
            {"count": len(broken), "first": broken[:20]},
            ("a copy or download that was cut short", "a file of another kind with an image's suffix"),
            "open the named files in another program",
            ("data.unreadable=skip",),
        )


class TransparentImages(Rule):
    """Images with transparency are laid over white, where other tools show the colour hidden under it."""

    id: ClassVar[str] = "D26"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def check(self, evidence: Evidence) -> Finding | None:
        about, count, names = _kind(evidence, "transparent")
        if not count:
            return None
        return Finding(
            self.id,
            "note",
            f"{count:,} of {about['images']:,} images have transparency and are laid over white ({names})",
            {"count": count, **about["transparent"]},
            ("pictures that were cut out, saved as PNG or WebP",),
            "look at one; if only some classes have it, the ground alone tells the class",
        )


class PrintColours(Rule):
    """CMYK images are converted by formula; their colours differ from those of a colour profile."""

    id: ClassVar[str] = "D27"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def check(self, evidence: Evidence) -> Finding | None:
        about, count, names = _kind(evidence, "cmyk")
        if not count:
            return None
        return Finding(
            self.id,
            "note",
            f"{count:,} of {about['images']:,} images are CMYK and converted without their colour profile ({names})",
            {"count": count, **about["cmyk"]},
            ("pictures that were made for printing",),
            "convert them to sRGB with their profile and compare the colours",
        )


class SixteenBits(Rule):
    """16-bit images are divided by 257; those that fill a small part of the range become nearly black.

    Args:
        share: largest value, as a share of the range, from which an image counts as dark.
    """

    id: ClassVar[str] = "D28"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def __init__(self, share: float = 0.25) -> None:
        self.share = share

    def check(self, evidence: Evidence) -> Finding | None:
        about, count, names = _kind(evidence, "sixteen_bits")
        if not count:
            return None
        largest = about["sixteen_bits"].get("largest")
        dark = largest is not None and largest <= self.share
        told = f"; their largest value is {largest:.1%} of the range, so they are nearly black" if dark else ""
        return Finding(
            self.id,
            "warning" if dark else "note",
            f"{count:,} of {about['images']:,} images have 16 bits and are divided by 257{told} ({names})",
            {"count": count, **about["sixteen_bits"]},
            ("a camera of 10 or 12 bits in files of 16", "medical or scientific pictures with a range of their own"),
            "look at the largest value of one file; stretch the range once for all files, not for each",
        )


def _kind(evidence: Evidence, kind: str) -> tuple[dict[str, Any], int, str]:
    """All that is known of the files, how many are of a kind, and their first names."""
    about = evidence.fact("data/files") or {}
    found = about.get(kind) or {}
    return about, found.get("count", 0), ", ".join(found.get("first", ())[:3])
