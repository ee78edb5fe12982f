"""How two runs differ: where they came from and what came out."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tricklab.lab.comparability import compare
from tricklab.lab.recipe_cells import changed_paths
from tricklab.records import RunFolder

if TYPE_CHECKING:
    from rich.console import RenderableType

# differ between any two runs and say nothing
_UNTOLD = ("environment.command", "declared.recipe_digest", "declared.experiment", "declared.arm")


@dataclass(frozen=True)
class Difference:
    """One thing that differs: ``section`` is recipe, provenance, result or cost; None where a side has none."""

    section: str
    path: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Comparison:
    """Two runs beside each other.

    Attributes:
        differences: what differs, recipe first.
        refusals: reasons why their metrics must not be compared.
        labels: what must be said beside a comparison.
    """

    first: str
    second: str
    states: tuple[str, str]
    differences: tuple[Difference, ...]
    refusals: tuple[str, ...]
    labels: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def compare_runs(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> Comparison:
    """Compare two run folders.

    Raises:
        UserError: one of them is no run folder, or its recipe was changed.
    """
    here, there = RunFolder.open(first), RunFolder.open(second)
    results = here.result() or {}, there.result() or {}
    written = changed_paths(there.recipe, here.recipe)
    refusals, labels = compare(*results, written) if all(results) else ([], [])
    block = here.declared["block"], there.declared["block"]
    if block[0] != block[1]:
        labels = [f"the runs are of different blocks ({block[0]} and {block[1]}): luck differs too", *labels]
    sections: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
        ("recipe", here.recipe, there.recipe),
        ("provenance", _provenance(here), _provenance(there)),
        ("result", _numbers(results[0]), _numbers(results[1])),
        ("cost", results[0].get("cost", {}), results[1].get("cost", {})),
    ]
    found = [
        Difference(section, path, _at(one, path), _at(other, path))
        for section, one, other in sections
        for path in changed_paths(one, other)
        if path not in _UNTOLD
    ]
    states = here.status()["state"], there.status()["state"]
    return Comparison(str(first), str(second), states, tuple(found), tuple(refusals), tuple(labels))


def render(found: Comparison) -> RenderableType:
    """The comparison as tables for a rich console."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(f"first   {found.first} ({found.states[0]})\nsecond  {found.second} ({found.states[1]})\n")
    ]
    for section in ("recipe", "provenance", "result", "cost"):
        chosen = [one for one in found.differences if one.section == section]
        if not chosen:
            parts.append(Text(f"{section}: the same", style="dim"))
            continue
        table = Table(title=section, title_justify="left", box=None, pad_edge=False)
        for title in ("", "first", "second", "second − first"):
            table.add_column(title, overflow="fold", justify="right" if title.startswith("second −") else "left")
        for one in chosen:
            table.add_row(*map(Text, (one.path, _shown(one.first), _shown(one.second), _change(one))))
        parts.append(table)
    parts += [Text(f"not comparable: {reason}", style="bold magenta") for reason in found.refusals]
    parts += [Text(f"mind: {label}") for label in found.labels]
    parts.append(
        Text("two runs prove nothing about a trick: tricklab ablate judges it over random blocks", style="dim")
    )
    return Group(*parts)


def _provenance(folder: RunFolder) -> dict[str, Any]:
    return folder.provenance()


def _numbers(result: Mapping[str, Any]) -> dict[str, Any]:
    """What came out, without tables that are looked at elsewhere."""
    kept = (
        "metric",
        "values",
        "raw",
        "averaged",
        "steps",
        "samples_seen",
        "order_hash",
        "split_hash",
        "data_digest",
        "steadiness",
        "metric_code",
    )
    return {key: result[key] for key in kept if key in result}


def _at(tree: Any, path: str) -> Any:
    """The value at a dotted path as ``changed_paths`` writes it; keys may hold dots themselves."""
    if not path:
        return tree
    if not isinstance(tree, Mapping):
        return None
    for key, value in tree.items():
        if path == str(key):
            return value
        if path.startswith(f"{key}."):
            found = _at(value, path[len(str(key)) + 1 :])
            if found is not None:
                return found
    return None


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "—" if value is None else str(value)


def _change(one: Difference) -> str:
    numbers = isinstance(one.first, int | float) and isinstance(one.second, int | float)
    if not numbers or isinstance(one.first, bool) or isinstance(one.second, bool):
        return ""
    return f"{one.second - one.first:+.4g}"
