"""The report in words: the question, one sentence per trick, and what each verdict means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tricklab.lab.report.numbers import decimals_for, duration, interval, percent, plain, probability, several, signed
from tricklab.lab.report.source import Source, ends
from tricklab.lab.table import MORE_THAN_SMOKE

SYMBOLS = {
    "helps": "▲",
    "hurts": "▼",
    "equivalent": "=",
    "undecided": "?",
    "screening": "…",
    "smoke": "·",
    "refused": "✕",
    "not_live": "○",
}
GLOSSARY = (
    (
        "block",
        "One draw of everything random: split, initial weights, order, augmentation, dropout. Every arm runs every "
        "block, so that arms are compared within blocks.",
    ),
    (
        "helps / hurts",
        "The paired difference is shown to be above / below zero, after Holm's correction over all tricks. "
        "Worth it: the whole interval lies above δ.",
    ),
    ("equivalent", "The 90 % interval lies inside ±δ: whatever the difference is, it is too small to matter."),
    (
        "undecided",
        "The data do not say. That is not the same as no effect; the sentence says how many more blocks would show an "
        "effect of δ with 80 % power.",
    ),
    (
        "screening, smoke",
        "Three or four blocks give a direction but no claim; one or two only show that everything runs.",
    ),
    (
        "steadiness",
        "Ratio of the standard deviations over blocks with and without the trick (Pitman-Morgan test on the pairs). "
        "Judged apart from the mean.",
    ),
    ("wins", "Share of blocks in which the trick beats the reference, with a Clopper-Pearson interval."),
    ("interaction", "Half the difference between a trick's effect beside all the others and its effect alone."),
    ("not live, refused", "The trick was asked for and did nothing, or the arm could not be compared: no verdict."),
)


def joined(names: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}" if names else ""


def question(source: Source) -> str:
    """The question that the experiment asks, in words."""
    names = [str(trick["name"]) for trick in source.tricks]
    recipe = source.title
    if not names:
        return f"How does {recipe} do on {source.metric}?"
    if len(names) > 4:
        return f"Which of {len(names)} tricks improve {source.metric} of {recipe}?"
    verb = "Does" if len(names) == 1 else "Do"
    return f"{verb} {joined(names, 'or' if len(names) > 1 else 'and')} improve {source.metric} of {recipe}?"


def tier(blocks: int) -> str:
    """What a number of blocks can carry."""
    if blocks < 3:
        return "smoke: no claim"
    if blocks < 5:
        return "screening: a direction, no claim"
    return "strong evidence" if blocks >= 10 else "evidence"


def setting(source: Source) -> str:
    """Design, blocks and what counts as better, in one line."""
    blocks = source.block_count
    parts = [
        f"Design {source.outcome.get('design', 'unknown')}",
        f"{len(source.cells)} arms × {several(blocks, 'block')} ({tier(blocks)})",
        f"{source.metric}, {'smaller' if source.minimise else 'larger'} is better",
        f"δ = {source.delta:g}" if source.delta else "no δ declared",
    ]
    if source.plan_hash:
        parts.append(f"plan {source.plan_hash[:12]}")
    return " · ".join(parts)


def digits_of(source: Source) -> int:
    """Decimals for every difference of this experiment: those that tell parts of δ apart, else those of the effects."""
    if source.delta:
        return decimals_for([source.delta], 2)
    sizes = [value for trick in source.tricks for value in (trick.get("effect"), *ends(trick))]
    return decimals_for(sizes, 2) if any(sizes) else 4


def css(verdict: str) -> str:
    return verdict.replace(" ", "-")


def shown(verdict: str) -> str:
    return verdict.replace("_", " ")


def answer(source: Source, trick: Mapping[str, Any]) -> dict[str, str]:
    """One trick's verdict as name, verdict, symbol and a sentence."""
    verdict = str(trick.get("verdict", "undecided"))
    digits = digits_of(source)
    low, high = ends(trick)
    sentence = ""
    if trick.get("effect") is not None:
        sentence = f"{signed(trick['effect'], digits)} {interval(low, high, digits)}"
    more = further(source, trick)
    return {
        "name": str(trick["name"]),
        "verdict": shown(verdict),
        "css": css(verdict),
        "symbol": SYMBOLS.get(verdict, "?"),
        "sentence": ": ".join(part for part in (sentence, more) if part) or str(trick.get("text") or ""),
    }


def further(source: Source, trick: Mapping[str, Any]) -> str:
    """What the verdict leaves open: worth it or not, how many more blocks, at which price."""
    verdict = trick.get("verdict")
    if verdict == "helps" and source.delta:
        if trick.get("worth_it"):
            return f"worth it, the whole interval lies above δ = {source.delta:g}"
        return f"not shown to be worth δ = {source.delta:g}"
    if verdict == "equivalent" and source.delta:
        return f"whatever the difference is, it is smaller than δ = {source.delta:g}"
    if verdict == "smoke":
        return MORE_THAN_SMOKE
    if verdict not in ("undecided", "screening"):
        return ""
    if trick.get("futile") and verdict == "undecided":
        return f"an improvement of δ = {source.delta:g} is ruled out"
    needed = trick.get("blocks_needed")
    if not source.delta:
        return "no δ was declared, so nobody can say how many more blocks are needed"
    if needed is None:
        return f"no affordable number of blocks would show δ = {source.delta:g}"
    if needed == 0:
        return f"an effect of δ = {source.delta:g} would probably have shown"
    hours = trick.get("cost_needed")
    price = f" (about {duration(3600 * float(hours))} of device time)" if hours else ""
    return (
        f"{int(needed)} more block{'s' if needed != 1 else ''}{price} would show δ = {source.delta:g} with 80 % power"
    )


def remarks(source: Source) -> list[tuple[str, str]]:
    """(trick, sentence) for everything beside the verdict that a reader must know; no trick where it concerns all."""
    digits = digits_of(source)
    found: list[tuple[str, str]] = []
    labels = source.outcome.get("labels") or {}
    for trick in source.tricks:
        name = str(trick["name"])
        found += [(name, str(label)) for label in labels.get(name) or ()]
        found += [(name, str(flag)) for flag in trick.get("flags") or ()]
        apart = trick.get("without_failures") or {}
        if apart.get("effect") is not None:
            text = (
                f"second analysis, without the blocks in which a run failed ({several(apart['blocks'], 'block')}): "
                f"{signed(apart['effect'], digits)} {interval(*ends(apart), digits)}, "
                f"p {probability(apart.get('p'))}"
            )
            found.append((name, text))
    notes = list(source.outcome.get("notes") or ())
    return found + [("", str(note)) for note in (notes[1:] if source.outcome.get("early") else notes)]


def steadiness(trick: Mapping[str, Any]) -> dict[str, str]:
    """The steadiness row of the verdict table."""
    found = trick.get("steadiness") or {}
    verdict = str(found.get("verdict") or "–")
    check = "" if found.get("check_p") is None else f"check (Brown-Forsythe): p {probability(found['check_p'])}"
    return {
        "verdict": verdict,
        "css": css(verdict),
        "measured": "–" if found.get("ratio") is None else f"sd × {plain(found['ratio'], 2)}",
        "interval": check,
        "p": probability(found.get("p")),
    }


def wins(trick: Mapping[str, Any], blocks: int) -> dict[str, str]:
    """The wins row of the verdict table."""
    share = trick.get("wins")
    low, high = ends(trick, "wins_interval")
    if share is None:
        return {"measured": "–", "interval": "–"}
    count = trick.get("wins_count")
    return {
        "measured": f"{percent(share, 0)}" if count is None else f"{count} of {several(blocks, 'block')}",
        "interval": "–" if low is None else f"[{percent(low, 0)}, {percent(high, 0)}]",
    }
