"""tricklab data: statistics, splits, known data sets, synthetic scenes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tricklab.cli.console import console

if TYPE_CHECKING:
    from tricklab.data.sources.catalogue import KnownScene

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Statistics of images and scenes, splits and their leakage, known data sets, synthetic scenes in real file "
    "formats.",
)
_Json = Annotated[bool, typer.Option("--json", help="one JSON document")]
_Data = Annotated[Path | None, typer.Option(help="folder of the data files")]
_Block = Annotated[int, typer.Option(help="the block whose split is drawn", min=0)]


@app.command()
def stats(
    what: Annotated[
        list[str],
        typer.Argument(help="a recipe with +tricks and key=value; a folder of images; or a cube file and a label file"),
    ],
    data: _Data = None,
    block: _Block = 0,
    as_json: _Json = False,
) -> None:
    """What images or a scene hold: classes, sizes, means, copies, faults; of a recipe also its split and what it leaks.

    A folder of images means the recipe  data: {root: FOLDER, images: {type: ClassFolders}}, one with folders images
    and masks in it  {type: MaskFolders}; data.…=… changes it.

    Examples:

      tricklab data stats photos

      tricklab data stats photos data.images.type=SplitFolders data.split.type=GivenSplit --json

      tricklab data stats camvid data.images.type=CamVidMasks

      tricklab data stats scene.mat scene_gt.mat

      tricklab data stats salinas-a-hybridsn --data DIR

      tricklab data stats demo data.split.type=DisjointBands
    """
    from tricklab.data.printing import show_stats
    from tricklab.data.summary import summarise, summarise_split
    from tricklab.seeds import Seeds

    first = Path(what[0])
    if first.is_dir() or first.suffix.lower() in ("", ".yaml", ".yml"):
        task, holder, seed = _holder(what[0], what[1:], data)
        if task == "classification":
            from tricklab.cli.data_images import image_stats

            image_stats(holder, Seeds(seed, block), as_json)
            return
        if task == "segmentation":
            from tricklab.cli.data_masks import mask_stats

            mask_stats(holder, Seeds(seed, block), as_json)
            return
        scene = holder.read()
        found = {**summarise(scene, holder.ignore), **summarise_split(holder, scene, Seeds(seed, block))[1]}
    else:
        from tricklab.data.formats.by_suffix import read_files
        from tricklab.errors import UserError

        if len(what) > 2 or data is not None or block:
            raise UserError(
                "give a cube file and at most one label file; --data and --block are for a recipe",
                where="tricklab data stats",
            )
        found = summarise(read_files(first, Path(what[1]) if len(what) > 1 else None))
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        show_stats(console(), found)


@app.command()
def split(
    recipe: Annotated[str, typer.Argument(help="a recipe file, the name of a shipped recipe, or a folder of images")],
    changes: Annotated[list[str] | None, typer.Argument(help="+tricks and key=value")] = None,
    out: Annotated[
        Path, typer.Option(help="folder for manifest.csv; of a scene for split.mat, leakage.json and split.png")
    ] = Path("split"),
    materialize: Annotated[
        Path | None, typer.Option(help="lay images out as train/CLASS, val/CLASS … in this empty folder, as hard links")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="with --materialize: copies instead of links")] = False,
    data: _Data = None,
    block: _Block = 0,
    as_json: _Json = False,
) -> None:
    """Draw a split and write it down; nothing is overwritten, nothing is deleted.

    Of images a manifest is written, one line an image, which split: {type: Manifest, file: …} takes back; of a scene
    the masks, what they leak, and a picture. Copies of a picture stay on one side.

    Examples:

      tricklab data split photos data.split.train=0.8 data.split.val=0.2

      tricklab data split photos data.split.type=ImageFolds data.split.fold=0 --out fold-0

      tricklab data split photos --materialize photos-split

      tricklab data split camvid data.images.type=CamVidMasks data.split.type=RandomImages data.split.by=group

      tricklab data split demo --out split-0

      tricklab data split salinas-a-hybridsn data.split.type=DisjointBands --data DIR --block 3 --out split-3
    """
    from tricklab.data.printing import show_split
    from tricklab.data.split_files import write_split
    from tricklab.data.summary import summarise_split
    from tricklab.errors import UserError
    from tricklab.seeds import Seeds

    task, holder, seed = _holder(recipe, changes or [], data)
    if copy and materialize is None:
        raise UserError("--copy says how to --materialize, which is not given", where="tricklab data split")
    if task == "classification":
        from tricklab.cli.data_images import image_split

        image_split(holder, Seeds(seed, block), out / "manifest.csv", materialize, copy, as_json)
        return
    if materialize is not None:
        raise UserError("--materialize is for labelled images", where="tricklab data split")
    if task == "segmentation":
        from tricklab.cli.data_masks import mask_split

        mask_split(holder, Seeds(seed, block), out / "manifest.csv", as_json)
        return
    drawn, found = summarise_split(holder, holder.read(), Seeds(seed, block))
    paths = write_split(drawn, found["leakage"], out)
    if as_json:
        print(json.dumps({**found, "files": [str(path) for path in paths]}, indent=2))
        return
    printer = console()
    show_split(printer, found)
    for path in paths:
        printer.print(str(path), markup=False, soft_wrap=True)


@app.command()
def get(
    name: Annotated[str | None, typer.Argument(help="a known scene; without it all are listed")] = None,
    check: Annotated[Path | None, typer.Option(help="compare this file with the known ones")] = None,
    out: Annotated[Path | None, typer.Option(help="fetch the files that have an address into this folder")] = None,
    as_json: _Json = False,
) -> None:
    """Where a known public scene comes from, its files and terms; fetches them with --out, checks yours with --check.

    Examples:

      tricklab data get

      tricklab data get indian-pines

      tricklab data get salinas-a --out data

      tricklab data get indian-pines --check Downloads/Indian_pines_corrected.mat
    """
    from dataclasses import asdict

    from tricklab.data.printing import explain_scene, list_scenes
    from tricklab.data.sources.catalogue import SCENES, known_scene
    from tricklab.errors import UserError

    if name is None:
        if check is not None or out is not None:
            raise UserError("name the scene", where="tricklab data get", fix=f"known: {', '.join(SCENES)}")
        if as_json:
            print(json.dumps({"scenes": [asdict(scene) for scene in SCENES.values()]}, indent=2))
        else:
            list_scenes(console(), SCENES.values())
        return
    scene = known_scene(name)
    if check is not None and out is not None:
        raise UserError("--check and --out are both given", where="tricklab data get", fix="one after the other")
    if check is not None:
        from tricklab.data.sources.file_check import check_file

        found = check_file(check, scene)
        print(json.dumps({"path": str(check), **asdict(found)}, indent=2) if as_json else f"{check}: {found}")
    elif out is not None:
        fetched = _fetch(scene, out)
        print(json.dumps({"files": fetched}, indent=2) if as_json else "\n".join(item["path"] for item in fetched))
    elif as_json:
        print(json.dumps(asdict(scene), indent=2))
    else:
        explain_scene(console(), scene)


@app.command()
def make(
    folder: Annotated[Path, typer.Argument(help="where the files go")],
    form: Annotated[str, typer.Option("--format", help="mat, mat73, envi or geotiff")] = "mat",
    height: Annotated[int, typer.Option(help="rows")] = 96,
    width: Annotated[int, typer.Option(help="columns")] = 96,
    bands: Annotated[int, typer.Option(help="spectral bands")] = 64,
    classes: Annotated[int, typer.Option(help="2 to 16")] = 6,
    noise: Annotated[float, typer.Option(help="of the sensor, in reflectance")] = 0.02,
    seed: Annotated[int, typer.Option(min=0, help="another scene for another number")] = 0,
    as_json: _Json = False,
) -> None:
    """Write a synthetic scene in a real file format; nothing is overwritten.

    Examples:

      tricklab data make scene --format envi

      tricklab data make scene --classes 9 --noise 0.03 --seed 4
    """
    from tricklab.data.formats.by_suffix import reader_for
    from tricklab.data.formats.writers import write_scene
    from tricklab.registry import build

    asked = {"height": height, "width": width, "bands": bands, "classes": classes, "noise": noise, "seed": seed}
    paths = write_scene(build("scene", {"type": "SyntheticScene", **asked}).read(), folder, form)
    config = {"type": reader_for(paths[0]), "image": paths[0].name, "labels": paths[1].name}
    if as_json:
        print(json.dumps({"files": [str(path) for path in paths], "scene": config}, indent=2))
        return
    printer = console()
    for path in paths:
        printer.print(str(path), markup=False, soft_wrap=True)
    written = ", ".join(f"{key}: {value}" for key, value in config.items())
    printer.print(f"in a recipe:  scene: {{{written}}}   with  --data {folder}", markup=False, soft_wrap=True)


def _holder(recipe: str, changes: list[str], data: Path | None) -> tuple[str, Any, int]:
    """The task of a recipe, its ``data:`` component, and its seed; a folder of images stands for a recipe."""
    from tricklab import tricks
    from tricklab.errors import UserError
    from tricklab.recipe import load, resolve
    from tricklab.registry import build

    overrides = [change for change in changes if not change.startswith("+")]
    place = Path(recipe)
    if len(place.parts) > 1 and not place.suffix and not place.exists():
        raise UserError(
            "no such folder", where=recipe, fix="give a folder of images, a recipe file, or a recipe's name"
        )
    if place.is_dir():
        from tricklab.cli.data_images import settings_of_folder
        from tricklab.cli.data_masks import holds_masks

        task = "segmentation" if holds_masks(place, overrides) else "classification"
        return task, *settings_of_folder(recipe, changes, data, task)
    if data is not None:
        overrides.append(f"data.root={json.dumps(str(data))}")
    loaded = load(recipe, overrides=overrides, tricks=[change for change in changes if change.startswith("+")])
    resolved = resolve(tricks.apply(loaded).recipe)
    task = resolved.get("task")
    if task not in ("hyperspectral", "classification", "segmentation"):
        raise UserError(
            f"this command knows images with classes or masks and hyperspectral scenes, not {task!r}", where=recipe
        )
    found = build("data", {"type": task, **resolved.get("data")})
    if task == "classification":
        found = found.for_network(resolved.get("model"))
    return task, found, resolved.get("seed")


def _fetch(scene: KnownScene, folder: Path) -> list[dict[str, str]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    from tricklab.data.sources.download import fetch
    from tricklab.errors import UserError

    missing = [file for file in scene.files if not (folder / file.name).exists()]
    if not missing:
        raise UserError("all of its files are there already", where=str(folder))
    fetched = []
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as bar:
        for file in missing:
            task = bar.add_task(file.name, total=file.size)

            def show(done: int, total: int | None, task: TaskID = task) -> None:
                bar.update(task, completed=done, total=total)

            found = fetch(file, scene, folder, show)
            fetched.append({"path": str(folder / file.name), "sha256": found.sha256, "check": str(found)})
    return fetched
