"""What the command line shows of scenes, splits and known data sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tricklab.data.leakage import Leakage
from tricklab.data.sources.catalogue import KnownScene

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def _table(*titles: str) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for number, title in enumerate(titles):
        table.add_column(title, justify="left" if number < 2 else "right")
    return table


def show_stats(console: Console, found: Mapping[str, Any]) -> None:
    """Print what :func:`tricklab.data.summary.summarise` found, and a split where there is one."""
    from rich.markup import escape

    for file in found["files"]:
        console.print(escape(file), soft_wrap=True)
    rows, columns, bands = found["shape"]
    console.print(f"{rows} × {columns} pixels, {bands} bands, {found['dtype']}", soft_wrap=True)
    if found["mean"] is not None:
        console.print(f"values {found['minimum']:g} to {found['maximum']:g}, mean {found['mean']:.6g}")
    if found["wavelengths"]:
        console.print(f"wavelengths {found['wavelengths'][0]:g} to {found['wavelengths'][1]:g}")
    if found["nan"] or found["infinite"]:
        console.print(f"[bold red]{found['nan']:,} NaN and {found['infinite']:,} infinite values[/bold red]")
    else:
        console.print("no NaN, no infinite value")
    if found["nodata"] is not None:
        console.print(f"data ignore value {found['nodata']:g}: {found['missing_pixels']:,} pixels miss a measurement")
    if found["constant_bands"]:
        numbers = ", ".join(map(str, found["constant_bands"][:20]))
        console.print(f"[yellow]bands with one value everywhere: {numbers}[/yellow]")
    if found["labels"] is not None and "per_class" not in found:
        table = _table("id", "class", "pixels", "share")
        for item in found["labels"]["classes"]:
            table.add_row(str(item["id"]), escape(item["name"]), f"{item['pixels']:,}", f"{item['share']:.1%}")
        console.print(table)
    if found["labels"] is not None:
        console.print(
            f"{found['labels']['labelled']:,} labelled pixels, {found['labels']['unlabelled']:,} without a label"
        )
    if "per_class" in found:
        show_split(console, found)


def show_split(console: Console, found: Mapping[str, Any]) -> None:
    """Print what :func:`tricklab.data.summary.summarise_split` found."""
    from rich.markup import escape

    table = _table("id", "class", "train", "val", "test")
    for item in found["per_class"]:
        table.add_row(str(item["id"]), escape(item["name"]), *(f"{item[name]:,}" for name in ("train", "val", "test")))
    table.add_row("", "all", *(f"{found['sizes'][name]:,}" for name in ("train", "val", "test")), style="bold")
    console.print(table)
    facts = {key: value for key, value in found["split"].items() if key not in ("type", "digest") and value != []}
    told = ", ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in facts.items())
    console.print(f"{found['split']['type']}{': ' if told else ''}{escape(told)}", soft_wrap=True)
    for figures in found["leakage"]["splits"].values():
        console.print(f"leakage: {Leakage(**figures)}", soft_wrap=True)
    others = found["leakage"]["other_pixels_in_statistics"]
    if others:
        console.print(f"leakage: {others:,} pixels outside the training set take part in PCA and standardisation")


def _plain(value: Any) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list) else f"{value}"


def list_scenes(console: Console, scenes: Iterable[KnownScene]) -> None:
    """Print one line a scene."""
    from rich.markup import escape

    table = _table("scene", "what it is")
    for scene in scenes:
        table.add_row(f"[cyan]{scene.name}[/cyan]", escape(f"{scene.title} ({scene.sensor})"))
    console.print(table)
    console.print("\n`tricklab data get NAME` says where one comes from; add --out DIR to fetch it.")


def explain_scene(console: Console, scene: KnownScene) -> None:
    """Print where a scene comes from, its files and terms, and where to put them."""

    def line(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    line(f"{scene.title}: {scene.sensor}")
    line(f"origin: {scene.page}")
    line(f"terms: {scene.terms}")
    for file in scene.files:
        size = "size unknown" if file.size is None else f"{file.size:,} bytes"
        line(f"\n{file.name}: {file.role}, {' × '.join(map(str, file.shape))}, array {file.key}, {size}")
        line(f"  sha256 {file.sha256 or 'unknown: it is recognised by its contents'}")
        line(f"  {file.url or 'no address to fetch it from: get it by hand at the origin page'}")
    if scene.note:
        line(f"\n{scene.note}")
    line(
        "\nPut the files anywhere below one folder and name that folder with --data DIR (or data.root in a recipe)."
        f"\nfetch:  tricklab data get {scene.name} --out DIR"
        f"\ncheck:  tricklab data get {scene.name} --check FILE"
    )
