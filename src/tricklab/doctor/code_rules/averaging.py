"""Averages of weights that forget too slowly, or live on another device."""

from __future__ import annotations

from tricklab.doctor.code import Call, Code
from tricklab.doctor.code_rules._base import code_rule
from tricklab.doctor.finding import Finding
from tricklab.statistics.exponential_average import half_life, initial_share, updates_until

_STEPS = 10_000
_LEFT = 0.05


@code_rule
def average_forgets_slowly(code: Code) -> Finding | None:
    """An exponential average without warm-up needs more than 10,000 steps to lose 95 % of the initial weights."""
    found = [(decay, line) for decay, line in _decays(code) if 0.5 < decay < 1]
    if not found:
        return None
    decay, line = max(found)
    needed = updates_until(_LEFT, decay, warmup=False)
    if needed <= _STEPS or _warms_up(code):
        return None
    kept = initial_share(_STEPS, decay, warmup=False)
    return Finding(
        "S05",
        "warning",
        f"line {line}: with decay {decay:g} the average still holds {kept:.0%} of the initial weights after "
        f"{_STEPS:,} steps; {needed:,} steps leave 5 %",
        {"decay": decay, "left_after_10000": kept, "steps_to_5_percent": needed, "half_life": half_life(decay)},
        (
            "without pre-trained weights these are random numbers, so the average scores below the raw weights until "
            "they are gone; with pre-trained weights the same average looks fine",
        ),
        "score raw and averaged weights side by side at every epoch; count the steps of the run",
        ("+ema(decay=0.999, warmup=true)",),
    )


@code_rule
def average_on_another_device(code: Code) -> Finding | None:
    """The averaged copy is put on the CPU while the model trains elsewhere."""
    call = next((one for one in _averages(code) if one.argument("device") == "cpu"), None)
    if call is None:
        return None
    return Finding(
        "S13",
        "note",
        f"line {call.line}: {call.name} keeps the average on the CPU, so on a GPU each step waits for all weights to "
        "be copied, and the averaged model cannot be evaluated where the batches are",
        {"line": call.line, "device": "cpu"},
        ("the option was taken over from a script that was short of GPU memory",),
        "time a step with the average and without it",
        ("+ema",),
    )


def _averages(code: Code) -> list[Call]:
    """Constructions of what is called an EMA."""
    return [call for call in code.calls if "ema" in call.last.lower() and not call.defines]


def _decays(code: Code) -> list[tuple[float, int]]:
    """Decays with their lines, of constructions, of defaults in a class that is called an EMA, and of plain names."""
    heads = [call for call in code.calls if call.defines and any("ema" in name.lower() for name in call.within)]
    found = [(call.argument("decay"), call.line) for call in [*_averages(code), *heads]]
    for name, value in code.numbers.items():
        if "ema" in name.lower() and "decay" in name.lower():
            found.append((value, code.line_of(code.text.find(name))))
    return [(float(decay), line) for decay, line in found if isinstance(decay, int | float)]


def _warms_up(code: Code) -> bool:
    """Whether an average's decay begins lower: told so, or computed from the number of updates."""
    told = any(key in ("warmup", "use_warmup", "tau") for call in _averages(code) for key in _keys(call))
    return told or any("decay" in text and "min" in text for text in code.text.splitlines() if "(1 +" in text)


def _keys(call: Call) -> list[str]:
    return [keyword.arg or "" for keyword in call.node.keywords]
