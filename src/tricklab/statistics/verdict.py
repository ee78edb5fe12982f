"""The words, and when each may be used."""

from __future__ import annotations

from tricklab.statistics.judgement import TrickJudgement
from tricklab.statistics.tiers import Tier

VERDICTS = ("helps", "hurts", "equivalent", "undecided", "screening", "smoke", "refused", "not_live")


def verdict(
    tier: Tier,
    p_adjusted: float,
    effect: float,
    interval_90: tuple[float, float],
    *,
    level: float,
    delta: float | None,
) -> str:
    """helps or hurts when the adjusted p is below the level of the look (the interval then excludes 0 too); else
    equivalent when the 90 % interval lies inside ±δ (two one-sided tests); else undecided.

    Below five blocks the tier's own word stands: no claim.
    """
    if tier in ("smoke", "screening"):
        return tier
    if p_adjusted < level and effect != 0:
        return "helps" if effect > 0 else "hurts"
    if delta is not None and -delta < interval_90[0] and interval_90[1] < delta:
        return "equivalent"
    return "undecided"


def sentence(trick: TrickJudgement, delta: float | None, unit: str = "blocks") -> str:
    """One sentence for people; figures in the metric's unit, `unit` is what more of would settle it."""
    if trick.effect is None:
        return f"{trick.verdict}: no effect can be computed yet"
    ends = "" if trick.interval is None else f" [{trick.interval[0]:+.3g}, {trick.interval[1]:+.3g}]"
    told = f"{trick.verdict}: {trick.effect:+.3g}{ends}"
    if trick.verdict == "hurts" or (trick.verdict == "helps" and delta is None):
        return told
    if trick.verdict == "helps":
        return f"{told}, worth it: above {delta:g}" if trick.worth_it else f"{told}, not shown to be worth {delta:g}"
    if trick.verdict == "equivalent":
        return f"{told}, within ±{delta:g}"
    no_claim = {"screening": ", direction only, no claim", "smoke": ", says nothing yet"}.get(trick.verdict, "")
    return f"{told}{no_claim}; {_more(trick, delta, unit)}"


def _more(trick: TrickJudgement, delta: float | None, unit: str) -> str:
    """What it would take to know."""
    smallest = "" if trick.smallest_detectable is None else f" (detectable now: {trick.smallest_detectable:.3g})"
    if delta is None:
        return f"declare delta, the smallest effect worth having, to learn how many more {unit} it takes{smallest}"
    if trick.blocks_needed is None:
        return f"no affordable number of {unit} would show {delta:g}{smallest}"
    if trick.blocks_needed == 0:
        return f"{delta:g} would probably have shown{smallest}"
    cost = "" if trick.cost_needed is None else f" ({trick.cost_needed:.3g} device-hours)"
    return f"{trick.blocks_needed} more {unit}{cost} would show {delta:g} with 80 % power"
