"""Mixup and CutMix: smoothed twice, hardly ever on, or scored against hard labels."""

from __future__ import annotations

from tricklab.doctor.code import Call, Code
from tricklab.doctor.code_rules._base import code_rule
from tricklab.doctor.finding import Finding

_LOSSES = ("CrossEntropyLoss", "LabelSmoothingCrossEntropy", "LabelSmoothing", "LabelSmoothingLoss")
_ACCURACY = ("accuracy", "topk_accuracy", "accuracy_score", "multiclass_accuracy")


@code_rule
def smoothed_twice(code: Code) -> Finding | None:
    """Labels are smoothed in the mixing and again in the training loss."""
    mixing = next((call for call in _mixers(code) if (call.argument("label_smoothing") or 0) > 0), None)
    loss = next((call for call in code.named(*_LOSSES) if _smoothing(call) > 0), None)
    if mixing is None or loss is None:
        return None
    first, second = mixing.argument("label_smoothing"), _smoothing(loss)
    return Finding(
        "O20",
        "warning",
        f"labels are smoothed twice: {first:g} in {mixing.name} (line {mixing.line}) and {second:g} in {loss.name} "
        f"(line {loss.line}), together {1 - (1 - first) * (1 - second):.3g}",
        {"mixing": first, "loss": second, "together": 1 - (1 - first) * (1 - second)},
        ("mixing was put in front of a loss that smooths already",),
        "look at the targets of one batch: their largest value tells the smoothing",
        ("+label_smoothing",),
    )


@code_rule
def mixed_hardly_ever(code: Code) -> Finding | None:
    """Less than half of the batches are mixed."""
    for call in _mixers(code):
        chance = call.argument("prob")
        if isinstance(chance, int | float) and 0 < chance < 0.5:
            return Finding(
                "O22",
                "note",
                f"line {call.line}: {call.name}(prob={chance:g}) leaves {1 - chance:.0%} of the batches as they are",
                {"prob": chance},
                ("prob was taken for the strength, which is alpha",),
                "compare with prob=1 on the same blocks before saying what mixing does",
                ("+mixup(p=1.0)",),
            )
    return None


@code_rule
def mixed_accuracy(code: Code) -> Finding | None:
    """Training accuracy of mixed images against unmixed labels, in one function."""
    calls = [call for call in code.calls if not call.defines and call.within]
    for mixing in (call for call in calls if "mixup" in call.last.lower() or "cutmix" in call.last.lower()):
        for scored in calls:
            if scored.last in _ACCURACY and scored.within == mixing.within and scored.line > mixing.line:
                return Finding(
                    "M10",
                    "warning",
                    f"line {scored.line}: {scored.name} scores outputs of images mixed on line {mixing.line}: "
                    "against hard labels even a perfect network misses",
                    {"mixed_on_line": mixing.line, "scored_on_line": scored.line},
                    ("training accuracy was kept when mixing was put in",),
                    "score a pass over unmixed training images",
                )
    return None


def _mixers(code: Code) -> list[Call]:
    return code.named("Mixup", "MixUp", "FastCollateMixup", "CutMix", "Cutmix")


def _smoothing(call: Call) -> float:
    for key in ("label_smoothing", "smoothing"):
        value = call.argument(key)
        if isinstance(value, int | float):
            return float(value)
    return 0.1 if call.last == "LabelSmoothingCrossEntropy" and not call.node.args else 0.0
