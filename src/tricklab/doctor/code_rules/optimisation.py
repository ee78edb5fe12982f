"""Schedules of another length than the run, and clipping of scaled gradients."""

from __future__ import annotations

from tricklab.doctor.code import Code
from tricklab.doctor.code_rules._base import code_rule
from tricklab.doctor.finding import Finding

_EPOCHS = ("epochs", "num_epochs", "n_epochs", "max_epochs")


@code_rule
def cosine_of_another_length(code: Code) -> Finding | None:
    """``CosineAnnealingLR`` whose half period is not the number of epochs."""
    epochs = next((value for name, value in code.numbers.items() if name.lower() in _EPOCHS), None)
    for call in code.named("CosineAnnealingLR"):
        half = call.argument("T_max", 1)
        if epochs is None or not isinstance(half, int | float) or half in (epochs, 0) or half > 20 * epochs:
            continue
        what = "rises again after" if half < epochs else "has not reached its minimum, which lies at"
        return Finding(
            "O16",
            "warning",
            f"line {call.line}: CosineAnnealingLR(T_max={half:g}) in a run of {epochs:g} epochs: the learning rate "
            f"{what} epoch {half:g}",
            {"T_max": half, "epochs": epochs},
            ("the run's length was changed and the schedule's was not", "scheduler.step() is called once a batch"),
            "print the learning rate at each epoch",
            ("schedule=[{type: Cosine}]",),
        )
    return None


@code_rule
def clipped_before_unscaling(code: Code) -> Finding | None:
    """Gradients are clipped while a GradScaler's factor is still in them."""
    clipped = code.named("clip_grad_norm_", "clip_grad_value_", "clip_grad_norm")
    if not clipped or not code.named("GradScaler") or ".unscale_(" in code.text:
        return None
    return Finding(
        "O13",
        "warning",
        f"line {clipped[0].line}: {clipped[0].last} without scaler.unscale_(optimizer): the gradients are still "
        "multiplied by the scale (65,536 at first), so that every step is clipped to next to nothing",
        {"line": clipped[0].line},
        ("clipping was added to a mixed-precision loop",),
        "print the norm before clipping",
        ("train.clip_norm=5.0",),
    )
