"""The verdict table, for a terminal, as text and as HTML; drawn from the machine-readable result."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from tricklab.lab.durations import span

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = ("arm", "effect", "interval", "p (Holm)", "wins", "steadiness", "cost", "verdict", "what to do")
_STYLES = {
    "helps": "bold green",
    "hurts": "bold red",
    "equivalent": "cyan",
    "refused": "magenta",
    "not_live": "magenta",
}
TEXT_WIDTH = 120
MORE_THAN_SMOKE = "at least 3 blocks for a direction, 5 for a verdict"


def rows(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row per arm, in the columns of ``COLUMNS``."""
    return [
        (
            trick["name"],
            _signed(trick["effect"]),
            _interval(trick["interval"]),
            "" if trick["p_holm"] is None else f"{trick['p_holm']:.2g}",
            _wins(trick),
            _steadiness(trick["steadiness"]),
            _cost(trick, result),
            "worth it" if trick["worth_it"] else trick["verdict"].replace("_", " "),
            advice(trick, result),
        )
        for trick in result["tricks"]
    ]


def advice(trick: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """What to do next about one arm, in a few words."""
    name, verdict, delta = trick["name"], trick["verdict"], result["delta"]
    if verdict == "refused":
        return str(result["refusals"].get(name) or trick["text"].removeprefix("refused: "))
    if verdict == "not_live":
        return f"did nothing: {result['not_live'].get(name) or 'its probe saw no sign of it'}"
    if verdict == "helps":
        if trick["worth_it"] or delta is None:
            return "keep it" if trick["worth_it"] else "keep it, if it is worth its cost"
        return f"keep it if less than δ = {delta:g} is welcome too"
    if verdict in ("hurts", "equivalent"):
        return "leave it out" if verdict == "hurts" else f"choose by cost: within ±{delta:g}"
    if verdict == "smoke":
        return MORE_THAN_SMOKE
    if result["early"]:
        return f"resume: {result['blocks']} of {result['blocks_declared']} blocks are complete"
    if trick["survives"] is False:
        return "nothing to confirm"
    if verdict == "screening":
        return "confirm on fresh blocks: --seed with another number, --blocks 5 or more"
    return _more(trick, result)


def _more(trick: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    if result["delta"] is None:
        return "declare --delta, the smallest effect worth having, to learn what would settle it"
    needed, cost = trick["blocks_needed"], trick["cost_needed"]
    if needed is None:
        return f"no affordable number of blocks would show δ = {result['delta']:g}"
    if trick["futile"] or needed == 0:
        return f"δ = {result['delta']:g} would probably have shown: leave it out"
    price = f" ({span(3600 * cost)})" if cost else ""
    later = [count for count in result["looks"] if count > (result["blocks_declared"] or 0)]
    look = f"; --blocks {later[0]} is the declared next look" if later else ""
    return f"{needed} more blocks{price} would show δ = {result['delta']:g}{look}"


def headline(result: Mapping[str, Any]) -> str:
    """What was judged, in one line."""
    better = "higher" if result["direction"] == "max" else "lower"
    delta = "no δ declared" if result["delta"] is None else f"δ = {result['delta']:g}"
    look = f"look {result['look']} of {len(result['looks'])}, " if len(result["looks"]) > 1 else ""
    return (
        f"{result['experiment']}: {result['metric']} ({better} is better), {delta}, design {result['design']}, "
        f"{result['blocks']} block{'s' * (result['blocks'] != 1)} ({result['tier']}), {look}level {result['level']:.3g}"
    )


def notes(result: Mapping[str, Any]) -> list[str]:
    """What must be read beside the table."""
    lines = list(result["notes"])
    for trick in result["tricks"]:
        lines += [f"{trick['name']}: {flag}" for flag in trick["flags"]]
        if trick["interaction_p"] is not None and trick["interaction_p"] < 0.05:
            size = f"{trick['interaction']:+.3g}, p {trick['interaction_p']:.2g}"
            lines.append(f"{trick['name']}: interacts with the others ({size})")
    for arm, said in result["labels"].items():
        lines += [f"{arm}: {text}" for text in said]
    failed = [run for run in result["failed"] if run["state"] != "interrupted"]
    for run in failed[:10]:
        reason = str(run["message"] or run["reason"] or "").strip().splitlines()
        lines.append(
            f"{run['state'].replace('_', ' ')}: {run['cell']}, block {run['block']}: {reason[-1] if reason else ''}"
        )
    if len(failed) > 10:
        lines.append(f"and {len(failed) - 10} more such runs")
    return lines


def render(result: Mapping[str, Any]) -> RenderableType:
    """The verdict table with its headline and notes, for a rich console."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=headline(result), title_justify="left", title_style="bold")
    for name in COLUMNS[:-1]:
        right = name in ("effect", "interval", "p (Holm)", "wins", "cost")
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=name == "interval")
    next_steps = []
    for cells, trick in zip(rows(result), result["tricks"], strict=True):
        style = _STYLES.get(trick["verdict"], "")
        shown = zip(COLUMNS[:-1], cells[:-1], strict=True)
        table.add_row(*(Text(text, style=style if name == "verdict" else "") for name, text in shown))
        next_steps.append(Text.assemble((f"→ {trick['name']}: ", "bold"), cells[-1]))
    arms = Table(box=None, pad_edge=False, title="cells", title_justify="left", title_style="dim")
    for name in ("cell", "mean", "sd", "runs", "failed", "seconds a run"):
        arms.add_column(name, justify="left" if name == "cell" else "right", style="dim")
    for arm in result["arms"]:
        arms.add_row(
            Text(arm["name"]),
            _number(arm["mean"]),
            _number(arm["sd"], 2),
            str(arm["n"]),
            str(arm["failed"]),
            _number(arm["cost"], 3),
        )
    said = [Text(f"• {line}") for line in notes(result)]
    return Group(table, *next_steps, Text(), arms, *said)


def as_text(result: Mapping[str, Any]) -> str:
    """The table as plain text."""
    from rich.console import Console

    stream = StringIO()
    Console(file=stream, width=TEXT_WIDTH, color_system=None).print(render(result))
    return stream.getvalue().rstrip()


def as_html(result: Mapping[str, Any]) -> str:
    """The table as an HTML fragment for a notebook."""

    def line(cells: tuple[str, ...], tag: str) -> str:
        return (
            "<tr>" + "".join(f"<{tag} style='text-align:left'>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
        )

    body = "".join(line(row, "td") for row in rows(result))
    said = "".join(f"<li>{html.escape(note)}</li>" for note in notes(result))
    return (
        f"<p><b>{html.escape(headline(result))}</b></p><table><thead>{line(COLUMNS, 'th')}</thead>"
        f"<tbody>{body}</tbody></table><ul>{said}</ul>"
    )


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3g}"


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}g}"


def _interval(value: list[float] | None) -> str:
    return "" if value is None else f"[{value[0]:+.3g}, {value[1]:+.3g}]"


def _wins(trick: Mapping[str, Any]) -> str:
    if trick["wins_count"] is None or trick["wins"] is None:
        return ""
    return f"{trick['wins_count']}/{len(trick['differences'])}"


def _steadiness(found: Mapping[str, Any] | None) -> str:
    if found is None or found.get("ratio") is None:
        return ""
    word = f"{found['verdict']}, " if found["verdict"] != "undecided" else ""
    return f"{word}sd ×{found['ratio']:.2g}"


def _cost(trick: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Time of a run with the arm over one without it: whole runs, or evaluations where the training is shared."""
    arms = {arm["name"]: arm for arm in result["arms"]}
    walls = {arm["folder"]: arm["cost"] for arm in result["arms"]}
    pairs = [(arms[pair["on"]], arms[pair["off"]]) for pair in trick["pairs"]]
    trained = [tuple(arm["fit_from"] or arm["folder"] for arm in pair) for pair in pairs]
    if pairs and all(on == off for on, off in trained):
        return _ratio([(on["evaluate_s"], off["evaluate_s"]) for on, off in pairs], "evaluation ") or "no training"
    return _ratio([(walls[on], walls[off]) for on, off in trained], "")


def _ratio(pairs: Sequence[tuple[float | None, float | None]], what: str) -> str:
    ratios = [on / off for on, off in pairs if on and off]
    return f"{what}×{sum(ratios) / len(ratios):.2f}" if ratios else ""
