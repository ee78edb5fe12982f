"""What the command line shows of labelled images and their splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tricklab.data.printed_list import print_list

if TYPE_CHECKING:
    from rich.console import Console

_SIDES = ("train", "val", "test", "unused")


def show_image_stats(console: Console, found: Mapping[str, Any]) -> None:
    """Print what :func:`tricklab.data.image_summary.summarise_images` found."""

    def line(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    def listed(title: str, items: Sequence[str]) -> None:
        print_list(console, title, items)

    line(found["folder"])
    show_image_split(console, found)
    low, high = (" × ".join(map(str, found["sizes"][key])) for key in ("smallest", "largest"))
    ratios = found["sizes"]["aspect_ratios"]
    same = f"all {low} pixels" if low == high else f"{low} to {high} pixels"
    line(f"{found['images']:,} images, {same}, width to height {ratios[0]:.2f} to {ratios[2]:.2f}")
    for name, figures in found["statistics"].items():
        over = "training images" if name == "train" else "all images"
        mean, std, own = (_numbers(figures[key]) for key in ("mean", "std", "mean_of_image_stds"))
        line(f"{over}: mean {mean}, std {std} over {figures['pixels']:,} pixels")
        line(f"  (the mean of the images' own deviations would be {own}: not what to normalise with)")
    copies = found["duplicates"]
    identical, near, contradictions = (
        _count(copies[key], "picture") for key in ("identical_groups", "near_groups", "contradictions")
    )
    listed(f"there more than once, byte for byte: {identical}", _joined(copies["identical"]))
    listed(f"with near-identical copies: {near}", _joined(copies["near"]))
    listed(f"under more than one label: {contradictions}", copies["contradictory"])
    listed(f"cannot be read: {_count(len(found['unreadable']), 'file')}", found["unreadable"])
    listed(f"no images: {_count(len(found['skipped']), 'file')}", found["skipped"])
    if "refused" in found["split"]:
        line(f"no split can be drawn: {found['split']['refused']}")


def show_image_split(console: Console, found: Mapping[str, Any]) -> None:
    """Print the images of each class, and of each side where a split was drawn."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("class")
    columns = [name for name in ("images", *_SIDES) if any(row.get(name) for row in found["per_class"])]
    for name in columns:
        table.add_column(name, justify="right")
    for row in found["per_class"]:
        table.add_row(escape(row["name"]), *(f"{row[name]:,}" for name in columns))
    table.add_row("all", *(f"{sum(row[name] for row in found['per_class']):,}" for name in columns), style="bold")
    console.print(table)
    if "type" in found["split"]:
        console.print(f"{found['split']['type']}: block {found['split']['block']}")


def _numbers(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:.4f}' for value in values)}]"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _joined(groups: Sequence[Sequence[str]]) -> list[str]:
    return [" = ".join(group) for group in groups]
