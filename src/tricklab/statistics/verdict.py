"""The words, and when each may be used."""

from __future__ import annotations

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
    """helps or hurts when the adjusted p is below the level of the look (the interval at that level then excludes 0 too);
    else equivalent when the 90 % interval lies inside ±δ (two one-sided tests); else undecided.

    Below five blocks the tier's own word stands: no claim.
    """
    if tier in ("smoke", "screening"):
        return tier
    if p_adjusted < level and effect != 0:
        return "helps" if effect > 0 else "hurts"
    if delta is not None and -delta < interval_90[0] and interval_90[1] < delta:
        return "equivalent"
    return "undecided"


def sentence(
    word: str,
    *,
    effect: float | None,
    interval: tuple[float, float] | None,
    delta: float | None,
    worth_it: bool | None,
    needed: int | None,
    cost: float | None,
    smallest: float | None,
    unit: str = "blocks",
) -> str:
    """One sentence for people; figures in the metric's unit."""
    ends = "" if interval is None else f" [{interval[0]:+.3g}, {interval[1]:+.3g}]"
    size = "no effect can be computed yet" if effect is None else f"{effect:+.3g}{ends}"
    if word in ("helps", "hurts"):
        worth = {
            True: f", worth it: surely more than {delta:g}" if delta is not None else "",
            False: f", not shown to be worth {delta:g}" if delta is not None else "",
            None: "",
        }[worth_it if word == "helps" else None]
        return f"{word}: {size}{worth}"
    if word == "equivalent":
        return f"equivalent: {size}, surely within ±{delta:g}"
    price = "" if cost is None or not needed else f" (cost {cost:.3g})"
    if delta is None:
        more = "declare metric.delta, the smallest effect worth having, to learn how much more would settle it"
    elif needed is None:
        more = (
            f"no affordable number of {unit} would show {delta:g}"
            if smallest is not None
            else f"{delta:g} is worth having"
        )
    elif needed == 0:
        more = f"an effect of {delta:g} would probably have shown; the smallest detectable is {smallest:.3g}"
    else:
        more = f"{needed} more {unit}{price} would show {delta:g} with 80 % power"
    no_claim = {"screening": ", direction only, no claim", "smoke": ", says nothing yet"}.get(word, "")
    return f"{word}: {size}{no_claim}; {more}"
