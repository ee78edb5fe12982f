"""What the command line shows of images with masks and their splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tricklab.data.printed_list import print_list

if TYPE_CHECKING:
    from rich.console import Console

_SIDES = ("train", "val", "test", "unused")
_COPIES = {
    "identical": "pictures there more than once, pixel for pixel",
    "relabelled": "pictures with more than one mask",
    "near": "pictures with near-identical copies",
    "crossing": "near-identical copies on two sides of the split",
}


def show_mask_stats(console: Console, found: Mapping[str, Any]) -> None:
    """Print what :func:`tricklab.data.mask_summary.summarise_masks` found."""

    def line(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    def listed(title: str, items: Sequence[str]) -> None:
        print_list(console, f"{title}: {len(items):,}", items)

    line(found["folder"])
    show_mask_table(console, found)
    low, high = (" × ".join(map(str, found["sizes"][key])) for key in ("smallest", "largest"))
    kind = f", {found['channels']} channels of {found['dtype']}" if "dtype" in found else ""
    line(f"{found['images']:,} images, {f'all {low}' if low == high else f'{low} to {high}'} pixels{kind}")
    without = found["unlabelled"]
    line(
        f"{without['share']:.2%} of all pixels have no label, of one image {without['most']:.2%}"
        + (f"; {without['images']:,} images have none at all" if without["images"] else "")
    )
    for name, figures in found.get("statistics", {}).items():
        mean, std = (f"[{', '.join(f'{value:.4f}' for value in figures[key])}]" for key in ("mean", "std"))
        line(f"{'training' if name == 'train' else 'all'} images: mean {mean}, std {std}, {figures['pixels']:,} pixels")
    if found["layout"].get("colours"):
        line(f"colours: {', '.join(found['layout']['colours'])}")
    _show_copies(console, found["duplicates"])
    listed("images that cannot be used", found["faults"])
    if "refused" in found["split"]:
        line(f"no split can be drawn: {found['split']['refused']}")


def show_mask_split(console: Console, found: Mapping[str, Any]) -> None:
    """Print the classes on each side, and the copies that were found."""
    show_mask_table(console, found)
    _show_copies(console, found["duplicates"])


def _show_copies(console: Console, copies: Mapping[str, Any]) -> None:
    """Groups of copies by name; nothing where nobody looked for them."""
    for key, title in _COPIES.items():
        groups = copies.get(key, ())
        print_list(console, f"{title}: {len(groups):,}", [" = ".join(group) for group in groups])


def show_mask_table(console: Console, found: Mapping[str, Any]) -> None:
    """Print each class's share of the labelled pixels and the images that show it, of each side where there is one."""
    from rich.markup import escape
    from rich.table import Table

    rows, sizes = found["classes"], found.get("split_sizes", {})
    sides = [side for side in _SIDES if sizes.get(side)]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in (
        "class",
        "value",
        "images",
        "pixels",
        *(f"{side} {what}" for side in sides for what in ("", "pixels")),
    ):
        table.add_column(title.strip(), justify="left" if title == "class" else "right")
    totals = {side: max(sum(row[f"{side}_pixels"] for row in rows), 1) for side in sides}
    for row in rows:
        own = [
            text
            for side in sides
            for text in (f"{row[f'{side}_images']:,}", f"{row[f'{side}_pixels'] / totals[side]:.2%}")
        ]
        table.add_row(escape(row["name"]), str(row["value"]), f"{row['images']:,}", f"{row['share']:.2%}", *own)
    console.print(table)
    if sides:
        said = ", ".join(f"{sizes[side]:,} {side}" for side in sides)
        console.print(f"{found['split']['type']}, block {found['split']['block']}: {said} images", markup=False)
