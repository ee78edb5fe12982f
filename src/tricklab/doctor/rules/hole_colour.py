"""D25: holes that are filled before normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class HoleBeforeNormalisation(Rule):
    """Cutout fills with a grey value that normalisation changes afterwards."""

    id: ClassVar[str] = "D25"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def check(self, evidence: Evidence) -> Finding | None:
        items = (evidence.recipe.get("data") or {}).get("augment") or ()
        used = evidence.fact("data/normalise") or {}
        place = next((n for n, one in enumerate(items) if one["type"] == "Cutout"), None)
        if place is None or items[place].get("value", "grey") == "mean" or not used.get("std"):
            return None
        value = items[place].get("value", "grey")
        low, high = (0.0, 1.0) if value == "grey" else (value / 255, value / 255)
        ends = [[(end - m) / s for m, s in zip(used["mean"], used["std"], strict=True)] for end in (low, high)]
        reach = f"{min(ends[0]):.2g} to {max(ends[1]):.2g}"
        return Finding(
            self.id,
            "note",
            f"Cutout fills holes before normalisation: to the network they have values from {reach}, not 0, which is "
            "the mean",
            {"lowest": ends[0], "highest": ends[1]},
            ("torchtoolbox's Cutout, which works on images; that of DeVries and Taylor fills with 0 after it",),
            'compare +cutout with "+random_erasing(mode=const)" on the same blocks',
            (f"data.augment.{place}.value=mean",),
        )
