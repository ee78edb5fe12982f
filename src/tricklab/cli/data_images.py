"""The part of ``tricklab data`` that knows labelled images."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tricklab.cli.console import console

if TYPE_CHECKING:
    from tricklab.data.image_summary import ImageSettings
    from tricklab.seeds import Seeds


def settings_of_folder(
    folder: str, changes: list[str], data: Path | None, task: str = "classification"
) -> tuple[Any, int]:
    """The ``data:`` component and the seed of a recipe that consists of a folder of images.

    Args:
        folder: of class folders, or for ``segmentation`` of images and masks.
        changes: ``data.…=…`` and ``seed=…``.
        data: what ``--data`` says, which a folder has no use for.
    """
    from tricklab.errors import UserError
    from tricklab.recipe import load
    from tricklab.registry import build

    foreign = [change for change in changes if not change.startswith(("data.", "seed="))]
    if foreign or data is not None:
        raise UserError(
            f"{foreign[0] if foreign else '--data'} does not concern a folder of images",
            where=folder,
            fix="data.…=… and seed=… do",
        )
    labelled = {"images": {"type": "ClassFolders"}, "split": {"type": "Stratified"}}
    images = {"root": folder, **(labelled if task == "classification" else {"images": {"type": "MaskFolders"}})}
    recipe = load({"task": task, "seed": 0, "data": images}, changes)
    return build("data", {"type": task, **recipe.get("data")}), recipe.get("seed")


def image_stats(settings: ImageSettings, seeds: Seeds, as_json: bool) -> None:
    """Print what images hold."""
    from tricklab.data.image_printing import show_image_stats
    from tricklab.data.image_summary import summarise_images

    with counting() as progress:
        found = summarise_images(settings, seeds, progress)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        show_image_stats(console(), found)


def image_split(
    settings: ImageSettings, seeds: Seeds, manifest: Path, folder: Path | None, copy: bool, as_json: bool
) -> None:
    """Draw a split of images, write its manifest, lay it out if asked to, and print it."""
    from tricklab.data.image_printing import show_image_split
    from tricklab.data.image_split_files import check_manifest, check_materialise, materialise, write_manifest
    from tricklab.data.image_summary import summarise_image_split

    check_manifest(manifest)
    if folder is not None:
        check_materialise(settings.read(), folder)
    with counting() as progress:
        images, division, found = summarise_image_split(settings, seeds, progress)
    if folder is not None:
        found["materialized"] = {"folder": str(folder), **materialise(images, division.sides, folder, copy=copy)}
    # last: where there is a manifest, everything is done
    write_manifest(images, division.sides, manifest)
    found["files"] = [str(manifest)]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    printer = console()
    show_image_split(printer, found)
    printer.print(str(manifest), markup=False, soft_wrap=True)
    if folder is not None:
        told = ", ".join(f"{found['materialized'][key]:,} {key}" for key in ("linked", "copied", "written"))
        printer.print(f"{folder}: {told}", markup=False, soft_wrap=True)


@contextlib.contextmanager
def counting() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error that counts images; gone when they are done."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True, highlight=False), transient=True) as bar:
        task = bar.add_task("images", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show
