"""Holes that are cut before normalisation."""

from __future__ import annotations

from tricklab.doctor.code import Code
from tricklab.doctor.code_rules._base import code_rule
from tricklab.doctor.finding import Finding

_HOLES = ("Cutout", "CutOut", "CoarseDropout", "RandomErasing")


@code_rule
def hole_before_normalisation(code: Code) -> Finding | None:
    """Cutout stands before Normalize: what it fills with is changed afterwards."""
    for call in code.named("Compose", "Sequential"):
        steps = call.steps()
        holes = [place for place, name in enumerate(steps) if name in _HOLES]
        if "Normalize" not in steps or not holes or holes[0] > steps.index("Normalize"):
            continue
        constants = [one for one in code.named("Normalize") if one.line >= call.line][:1]
        used = [constants[0].argument(key, place) for place, key in enumerate(("mean", "std"))] if constants else []
        told, numbers = "", {}
        if len(used) == 2 and all(isinstance(one, list | tuple) and one for one in used):
            black, white = ((value - used[0][0]) / used[1][0] for value in (0.0, 1.0))
            told = f", between {black:.3g} and {white:.3g} in the first channel"
            numbers = {"black": black, "white": white}
        return Finding(
            "D25",
            "note",
            f"line {call.line}: {steps[holes[0]]} stands before Normalize: a hole gets whatever normalisation makes of "
            f"its grey value{told}, not the mean (0) of the paper",
            {"steps": steps, **numbers},
            ("this Cutout works on images, not on normalised values",),
            "print the values inside one hole after the last transform",
            ("+random_erasing(mode=const)",),
        )
    return None
