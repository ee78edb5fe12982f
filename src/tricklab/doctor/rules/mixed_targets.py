"""O20, O22 and M10: labels smoothed twice, batches hardly ever mixed, a training loss of mixed targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class SmoothedTwice(Rule):
    """A loss that smooths labels meets targets that mixing has softened."""

    id: ClassVar[str] = "O20"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def check(self, evidence: Evidence) -> Finding | None:
        mixing = _mixing(evidence)
        terms = evidence.recipe.get("losses") or ()
        smoothing = max((float(term.get("label_smoothing") or 0.0) for term in terms), default=0.0)
        if not mixing or not smoothing:
            return None
        names = ", ".join(str(item["type"]) for item in mixing)
        chance = max(_chance(item)[1] for item in mixing)
        return Finding(
            self.id,
            "note",
            f"the loss smooths labels by {smoothing:g} and {names} softens the same targets in {chance:.0%} of the "
            "batches",
            {"label_smoothing": smoothing, "mixing": names, "p": chance},
            ("two tricks that do the same to the targets were put on top of each other",),
            "run both, either and neither on the same blocks: tricklab ablate … --design both",
            ("losses.0.label_smoothing=0",),
        )


class MixedHardlyEver(Rule):
    """Less than half of the batches are mixed."""

    id: ClassVar[str] = "O22"
    phases: ClassVar[tuple[Phase, ...]] = ("before",)

    def check(self, evidence: Evidence) -> Finding | None:
        for place, item in enumerate(_mixing(evidence)):
            key, chance = _chance(item)
            if chance < 0.5:
                return Finding(
                    self.id,
                    "note",
                    f"{item['type']} with {key}={chance:g} leaves {1 - chance:.0%} of the batches as they are",
                    {"p": chance},
                    (f"{key} was taken for the strength, which is alpha",),
                    f"compare with {key}=1 on the same blocks before saying what mixing does",
                    (f"data.batch_augment.{place}.{key}=1.0",),
                )
        return None


class MixedTrainingLoss(Rule):
    """The training loss of mixed images ends above the evaluated one: that is no underfitting."""

    id: ClassVar[str] = "M10"
    phases: ClassVar[tuple[Phase, ...]] = ("evaluation",)

    def check(self, evidence: Evidence) -> Finding | None:
        mixing = _mixing(evidence)
        if not mixing:
            return None
        _, train = evidence.series("loss")
        for phase in ("val", "test"):
            _, held_out = evidence.series(f"{phase}/loss", phase=phase)
            if len(held_out):
                break
        else:
            return None
        last = train[-10:]
        if not len(last) or last.mean() <= held_out[-1]:
            return None
        names = ", ".join(str(item["type"]) for item in mixing)
        return Finding(
            self.id,
            "note",
            f"the training loss ends at {last.mean():.4f}, above the {phase} loss of {held_out[-1]:.4f}: it is that of "
            f"images mixed by {names}, whose targets no network can reach",
            {"train": float(last.mean()), phase: float(held_out[-1])},
            ("mixed targets have an entropy of their own, which the loss cannot go below",),
            "tricklab test RUN --split train scores the unmixed training images",
        )


def _chance(item: dict[str, Any]) -> tuple[str, float]:
    """Key and value of the chance that a batch is mixed."""
    key = "prob" if "prob" in item else "p"
    return key, float(item.get(key, 1.0))


def _mixing(evidence: Evidence) -> list[dict[str, Any]]:
    data = evidence.recipe.get("data") or {}
    return list(data.get("batch_augment") or ())
