"""D05 and D16: one picture on both sides of the split, or under two classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class CopiesAcrossSplit(Rule):
    """Evaluated images have an identical or near-identical copy among the training images."""

    id: ClassVar[str] = "D05"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "evaluation")

    def check(self, evidence: Evidence) -> Finding | None:
        copies = evidence.fact("data/copies") or {}
        crossing, sizes = copies.get("crossing") or {}, copies.get("sizes") or {}
        parts = [(name, count, sizes[name]) for name, count in crossing.items() if count]
        if not parts:
            return None
        # where copies are grouped already, only a given split can tear them apart
        grouped = (evidence.recipe.get("data") or {}).get("duplicates") == "group"
        causes = ("data.duplicates is 'keep', so copies fall on any side",) if not grouped else ()
        text = ", ".join(f"{count:,} of {size:,} {name} images ({count / size:.1%})" for name, count, size in parts)
        return Finding(
            self.id,
            "warning",
            f"{text} have a copy among the training images, such as {'; '.join(copies['examples'][:2])}",
            {"crossing": crossing, "sizes": sizes, "examples": copies["examples"]},
            (*causes, "the given split was drawn without looking for copies"),
            "score the evaluated images that have no copy: the difference is what the leak is worth",
            () if grouped else ("data.duplicates=group",),
        )


class ContradictoryLabels(Rule):
    """One picture stands under several classes."""

    id: ClassVar[str] = "D16"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "evaluation")

    def check(self, evidence: Evidence) -> Finding | None:
        copies = evidence.fact("data/copies") or {}
        count = copies.get("contradictory") or 0
        if not count:
            return None
        used = copies.get("contradictory_used") or 0
        return Finding(
            self.id,
            "warning" if used else "note",
            f"{count:,} picture{'s stand' if count > 1 else ' stands'} under more than one class"
            f"{'' if used else ' (left out)'}: {'; '.join(copies['contradictory_examples'][:3])}",
            {"pictures": count, "used": used, "examples": copies["contradictory_examples"]},
            ("a file was copied into a second class folder", "the classes shade into each other"),
            "look at the named files",
            ("data.contradictions=drop",) if used else (),
        )
