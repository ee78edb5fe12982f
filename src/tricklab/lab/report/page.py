"""The report as one HTML file that needs nothing else: no network, no other file, and no script to be readable."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from importlib import resources
from typing import Any

from tricklab import __version__
from tricklab.lab.report import circumstances, drawings, tables, words
from tricklab.lab.report.class_effects import ClassEffects
from tricklab.lab.report.class_tables import class_headings, class_section
from tricklab.lab.report.numbers import plain
from tricklab.lab.report.series import AXES
from tricklab.lab.report.source import Source

SECTIONS = (
    ("verdicts", "Verdicts"),
    ("effects", "Effects"),
    ("blocks", "Blocks"),
    ("arms", "Arms"),
    ("classes", "Classes"),
    ("interaction", "Interaction"),
    ("curves", "Curves"),
    ("failures", "Failures"),
    ("data", "Data"),
    ("findings", "Findings"),
    ("cost", "Cost"),
    ("design", "Plan"),
    ("again", "Run again"),
)


def html(source: Source, *, written: str, beside: list[str], classes: ClassEffects | None = None) -> str:
    """The page. Everything that comes from runs is escaped by the template or by the drawings themselves.

    Args:
        written: date and time of writing, as it is to be read.
        beside: names of the files that lie beside the page.
        classes: what the tricks did to each class, where that is known.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("tricklab.lab.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    script = template("report.js")
    curves = drawings.curve_figures(source)
    parts: dict[str, Any] = {
        "forest": drawings.forest_of(source),
        "slopes": drawings.slopes_of(source),
        "arrows": drawings.arrows_of(source),
        "curves": curves,
        "data_rows": circumstances.data_rows(source),
        "classes": class_section(classes),
    }
    shown = {"effects": parts["forest"], "blocks": parts["slopes"], "interaction": parts["arrows"], "curves": curves,
             "data": parts["data_rows"], "classes": parts["classes"]}  # fmt: skip
    return environment.get_template("report.html.j2").render(
        **parts,
        name=source.name,
        version=__version__,
        written=written,
        beside=beside,
        css=Markup(template("figure.css") + template("report.css")),
        script=Markup(script),
        script_hash=script_hash(script),
        data=Markup(embedded({"axes": {key: label for key, (_, label) in AXES.items()},
                              "curves": {curve.key: curve.hover for curve in curves}})),
        sections=[(key, title) for key, title in SECTIONS if key not in shown or shown[key]],
        question=words.question(source),
        setting=words.setting(source),
        answers=[words.answer(source, trick) for trick in source.tricks],
        cautions=tables.cautions(source),
        verdicts=tables.verdict_rows(source),
        verdict_caption=tables.verdict_caption(source),
        remarks=words.remarks(source),
        meanings=tables.arm_meanings(source),
        glossary=words.GLOSSARY,
        forest_caption=_forest_caption(source),
        slopes_caption=_slopes_caption(source),
        block_names=source.blocks,
        values=tables.value_rows(source),
        metric=source.metric,
        arms=tables.arm_rows(source),
        class_headings=class_headings,
        trivial=tables.trivial_sentence(source),
        arrows_caption=_ARROWS,
        axes=[(key, label) for key, (_, label) in AXES.items()],
        failures=tables.unfinished_rows(source),
        total_runs=len(source.runs),
        data_notes=circumstances.data_notes(source),
        findings=circumstances.finding_rows(source),
        cost=tables.cost_rows(source),
        declared=circumstances.declared_rows(source),
        looks=circumstances.look_rows(source),
        commands=circumstances.commands(source),
        environment=circumstances.environment_rows(source),
    )  # fmt: skip


_ARROWS = (
    "From the dot (the trick alone, added to the baseline) to the tip (taken out of all tricks together). A long arrow "
    "means that the tricks depend on each other; one that crosses zero, that a trick helps in one company and hurts in "
    "another."
)


def _forest_caption(source: Source) -> str:
    text = "Dot: mean paired difference, right of zero is better. Line: its interval."
    if source.delta:
        text += f" Shaded: ±δ = {plain(source.delta, 4)}, differences too small to matter."
    return text


def _slopes_caption(source: Source) -> str:
    several = any(len(source.pairs_of(str(trick["name"]))) > 1 for trick in source.tricks)
    text = "One line per block, from the value without the trick to the value with it; green where it got better."
    if several:
        text += " Where a trick was tried in several companies, its pairs are averaged within the block."
    return text


def template(name: str) -> str:
    """A file of the templates folder."""
    return resources.files("tricklab.lab.report").joinpath("templates", name).read_text(encoding="utf-8")


def script_hash(script: str) -> str:
    """What the page's content security policy allows to run: this script and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def embedded(value: Any) -> str:
    """JSON that may stand inside a script element: no tag can begin in it, and no number is nan or infinite.

    >>> embedded({"name": "</script>"})
    '{"name":"\\\\u003c/script\\\\u003e"}'
    """
    text = json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
