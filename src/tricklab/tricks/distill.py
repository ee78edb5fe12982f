"""Learning from a teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._types import OpenShare, Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "distill",
    tasks="classification",
    source="Hinton et al. 2015, arXiv 1503.02531; Touvron et al., ICML 2021, arXiv 2012.12877 (hard, token)",
)
def distill(
    recipe: Recipe,
    teacher: str,
    mode: Literal["soft", "hard", "token"] = "soft",
    weight: OpenShare = 0.5,
    temperature: Positive = 1.0,
    file: str | None = None,
) -> Recipe:
    """Learn a share of the loss, ``weight``, from what a trained network says of each training image.

    ``teacher`` is a finished run's or an arm's folder (with a slash, such as ``runs/teacher/baseline``; of an arm, the
    run of the same block is taken), or a name in timm, with its published weights or those of a ``file``.
    ``soft``: its probabilities, softened by ``temperature``; ``hard``: its decisions; ``token``: its decisions, learned
    by a second head, which is averaged with the first where the model is evaluated. The other losses weigh 1 -
    ``weight`` of what they did. The teacher's term exists in training only, so val/loss is no longer comparable.
    """
    if recipe.get("metric.monitor", "").endswith("/loss"):
        raise UserError(
            "distillation changes what the loss is made of, and the arms are judged by it",
            where="metric.monitor",
            fix="declare another metric, such as val/accuracy",
        )
    if mode != "soft" and temperature != 1:
        raise UserError(f"temperature does nothing in mode {mode}", where="trick distill", fix="leave it out")
    others = recipe.get("losses", [{"type": "CrossEntropyLoss"}])
    for place, other in enumerate(others):
        recipe = recipe.set(f"losses.{place}.weight", (1 - weight) * other.get("weight", 1.0))
    term: dict[str, Any] = {"type": "DistillationLoss", "teacher": _teacher(teacher, file), "weight": weight}
    if mode == "soft":
        term |= {"temperature": temperature}
    else:
        term |= {"mode": "hard"}
    if mode == "token":
        recipe = recipe.set("model.distillation", True)
        term |= {"on": "distillation"}
    return recipe.append("losses", term)


@distill.probe(when="first_steps")
def teacher_was_asked(evidence: Evidence) -> Proof:
    """The teacher's scores were compared with the student's, and the difference was not always nothing."""
    _, agreed = evidence.series("observe/distill/agreement")
    names = {key for row in evidence.rows for key in row if key.startswith("loss/DistillationLoss.")}
    terms = [evidence.series(name)[1] for name in names if not name.endswith("_mean")]
    if not len(agreed) or not terms:
        return Proof(False, "no teacher was asked")
    largest = max(float(values.max()) for values in terms)
    numbers = {"agreement": float(agreed.mean()), "largest_term": largest}
    text = f"student and teacher agreed on {agreed.mean():.0%} of the images; the largest term was {largest:.3g}"
    return Proof(largest > 0, text, numbers)


def _teacher(teacher: str, file: str | None) -> dict[str, Any]:
    if "/" in teacher or "\\" in teacher:
        if file is not None:
            raise UserError("a run has weights of its own", where="trick distill, file", fix="leave it out")
        return {"type": "FinishedRun", "folder": teacher}
    source = {"pretrained": True} if file is None else {"weights": file}
    return {"type": "Network", "model": {"type": "timm", "name": teacher, **source}}
